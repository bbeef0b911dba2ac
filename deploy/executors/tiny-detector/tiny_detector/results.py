"""The files that the system takes home: stages and their result, ranked candidates, detections, embeddings."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from tiny_detector.boxes import Floats
from tiny_detector.infer import View
from tiny_detector.model import FILE_NAME, Model, save


@dataclass(frozen=True)
class Stage:
    """One checkpoint and its mAP at IoU 0.5."""

    name: str
    mean_average_precision: float


def write_stage(models_dir: Path, name: str, model: Model) -> None:
    """Write the files of one stage below its name."""
    (models_dir / name).mkdir(parents=True, exist_ok=True)
    save(model, models_dir / name / FILE_NAME)


def write_training_result(path: Path, stages: Sequence[Stage]) -> None:
    """Write result.yaml; the best stage is the one with the highest mAP, of equals the last."""
    best = max(reversed(stages), key=lambda stage: stage.mean_average_precision)
    described = {
        stage.name: {
            "stage_name": stage.name,
            "files": [FILE_NAME],
            "mAP": round(stage.mean_average_precision, 6),
            "timestamp": int(os.environ.get("SOURCE_DATE_EPOCH", time.time())),
        }
        for stage in stages
    }
    _write(path, yaml.safe_dump({"best_stage_name": best.name, "model_stages": described}, sort_keys=False))


def write_ranking(path: Path, ranking: Sequence[tuple[str, float]]) -> None:
    """Write result.tsv: all candidates, the most wanted first, with scores that never rise."""
    _write(path, "".join(f"{image}\t{score:.6f}\n" for image, score in ranking))


def write_detections(path: Path, images: Sequence[str], views: Sequence[View], names: Sequence[str]) -> None:
    """Write infer-result.json: every image by its base name, with an empty list if nothing was found on it."""
    described = {Path(image).name: {"boxes": _boxes(view, names)} for image, view in zip(images, views, strict=True)}
    _write(path, json.dumps({"detection": described}, ensure_ascii=False) + "\n")


def write_embeddings(path: Path, embeddings: Floats) -> None:
    """Write one row for each candidate, in index order."""
    np.save(path, embeddings)


def _boxes(view: View, names: Sequence[str]) -> list[dict[str, object]]:
    """Return a box for each detection; where a box is listed first, with the probability of every class."""
    boxes = [_box(*one, names) for one in zip(*view.detections, strict=True)]
    for row, first in zip(*np.unique(view.listed, return_index=True), strict=True):
        boxes[first]["class_scores"] = [round(float(share), 4) for share in view.probabilities[row, :-1]]
    return boxes


def _box(corners: Floats, index: int, score: float, names: Sequence[str]) -> dict[str, object]:
    left, top, right, bottom = (float(value) for value in corners)
    box = {"x": left, "y": top, "w": right - left, "h": bottom - top}
    return {
        "box": {key: round(value, 2) for key, value in box.items()},
        "class_name": names[index],
        "score": round(float(score), 6),
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
