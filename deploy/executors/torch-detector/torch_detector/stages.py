"""Stages on disk and result.yaml, which at any moment names only stages that are there as a whole."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from torch_detector.checkpoint import MODEL, TRAINING, Model, Progress, write

MOST = 11  # the best and the ten newest of the others


@dataclass(frozen=True)
class Stage:
    """One checkpoint, the epochs behind it, and its mAP at IoU 0.5."""

    epoch: int
    mean_average_precision: float
    timestamp: int

    @property
    def name(self) -> str:
        """What the system calls it."""
        return f"epoch_{self.epoch}"


class Stages:
    """The checkpoints that are kept: the best, the newest, and every so many epochs one."""

    def __init__(self, models_dir: Path, result: Path, *, every: int) -> None:
        self._models_dir, self._result, self._every = models_dir, result, every
        self.kept: list[Stage] = []

    @property
    def best(self) -> Stage:
        """The stage with the highest mAP, of equals the last."""
        return max(reversed(self.kept), key=lambda stage: stage.mean_average_precision)

    def add(self, score: float, model: Model, progress: Progress) -> None:
        """Keep a checkpoint, tell of it, and remove those that are kept no longer."""
        stage = Stage(progress.epoch, score, int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
        beside = self._models_dir / f".{stage.name}.new"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        write(beside, model, progress)
        beside.rename(self._models_dir / stage.name)
        before, self.kept = self.kept, [*self.kept, stage]
        self.kept = self._worth_keeping()
        self._tell()
        for gone in set(before) - set(self.kept):
            shutil.rmtree(self._models_dir / gone.name)

    def _worth_keeping(self) -> list[Stage]:
        newest, best = self.kept[-1], self.best
        wanted = [
            stage for stage in self.kept if stage in (newest, best) or (self._every and stage.epoch % self._every == 0)
        ]
        others = [stage for stage in wanted if stage != best][-(MOST - 1) :]
        return [stage for stage in wanted if stage == best or stage in others]

    def _tell(self) -> None:
        described = {
            stage.name: {
                "stage_name": stage.name,
                "files": [MODEL, TRAINING],
                "mAP": round(float(stage.mean_average_precision), 6),
                "timestamp": stage.timestamp,
            }
            for stage in self.kept
        }
        told = yaml.safe_dump({"best_stage_name": self.best.name, "model_stages": described}, sort_keys=False)
        self._result.parent.mkdir(parents=True, exist_ok=True)
        beside = self._result.with_name(self._result.name + ".new")
        beside.write_text(told, encoding="utf-8")
        beside.replace(self._result)
