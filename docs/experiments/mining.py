"""The experiment of docs/mining.md: mining strategies on the demo's data, the same start and budgets for all.

It takes the detector, the pictures and the strategies as they are, without the service between them: a seed takes
about half a minute on a core. ``make experiment`` runs it and writes the table and the figure.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # the matrices are small, and results stay the same to the last bit

import numpy as np
import orjson

from client.demo.digits import CLASSES, build
from schemas.mining import StrategyOptions
from storage.datasets.asset_ids import ASSET_BYTES
from storage.datasets.near_duplicates import Hashes
from tiny_detector.annotations import Truth, read_truth
from tiny_detector.average_precision import mean_average_precision
from tiny_detector.detect import Found, detect
from tiny_detector.infer import _embedding
from tiny_detector.lessons import Lessons
from tiny_detector.model import Model
from tiny_detector.pyramids import Pyramids
from tiny_detector.settings import DetectionSettings, TrainingSettings
from tiny_detector.train import Examples, _untrained
from tiny_detector.windows import Pyramid
from workers.images import Limits, inspect_image
from workers.mining.choosing import Weighted, choose
from workers.mining.objects import Objects
from workers.mining.pool import Labeled, Pool, unit
from workers.mining import variants

SETTINGS: Final = TrainingSettings()
DETECTION: Final = DetectionSettings()
ROUNDS, PICKS = 3, 50


def quiet(_: float) -> None:
    """Nobody watches."""


class Part_(NamedTuple):
    truths: list[Truth]
    windows: list[Pyramid]


@dataclass
class Bench:
    """All of one seed: pictures, truth, and windows that are computed once."""

    seed: int
    folder: Path
    start: Model = field(init=False)

    def __post_init__(self) -> None:
        made = build(self.folder, seed=self.seed)
        self.rare = [CLASSES.index(name) for name in made.rare]
        self.paths = {name: sorted(str(path) for path in (getattr(made, name) / "images").iterdir()) for name in ("training", "validation", "pool")}
        self.truths = {name: [truth_of(path) for path in paths] for name, paths in self.paths.items()}
        examples = Examples(self.paths["training"], self.truths["training"])
        self.start = _untrained(examples, CLASSES, SETTINGS)
        self.windows = {
            name: list(Pyramids(paths, image_size=self.start.image_size, sides=self.start.sides, cache_bytes=0)[i] for i in range(len(paths)))
            for name, paths in self.paths.items()
        }
        hashes = [inspect_image(Path(path), name=path, limits=Limits()) for path in [*self.paths["training"], *self.paths["pool"]]]
        words = np.frombuffer(b"".join(row.perceptual_hash for row in hashes), "<u8").reshape(-1, 4).astype(np.uint64)
        n = len(self.paths["training"])
        self.training_words, self.words = words[:n], words[n:]
        self.assets = [int(i).to_bytes(ASSET_BYTES, "big") for i in range(len(self.paths["pool"]))]
        self.first = self.trained([])

    def trained(self, picked: Sequence[int]) -> Model:
        windows = [*self.windows["training"], *(self.windows["pool"][i] for i in picked)]
        truths = [*self.truths["training"], *(self.truths["pool"][i] for i in picked)]
        classes = np.concatenate([truth.classes for truth in truths])
        from dataclasses import replace
        model = replace(self.start, labelled=tuple(np.bincount(classes, minlength=len(CLASSES)).tolist()))
        lessons = Lessons(windows, truths, SETTINGS)
        lessons.begin(quiet)
        model = lessons.fitted(model)
        for _ in range(SETTINGS.hard_negative_rounds):
            lessons.add_mistakes(model, quiet)
            model = lessons.fitted(model)
        return model

    def score(self, model: Model) -> float:
        found = [detect(w, model, DETECTION).by_class(min_score=DETECTION.min_score) for w in self.windows["validation"]]
        return mean_average_precision(found, self.truths["validation"])

    def pool(self, model: Model, picked: Sequence[int]) -> tuple[Pool, list[int]]:
        left = [i for i in range(len(self.assets)) if i not in set(picked)]
        found = [detect(self.windows["pool"][i], model, DETECTION) for i in left]
        known = [detect(self.windows["pool"][i], model, DETECTION) for i in picked] + [detect(w, model, DETECTION) for w in self.windows["training"]]
        image = np.repeat(np.arange(len(left)), [len(f.boxes) for f in found])
        shares = np.concatenate([f.probabilities for f in found])
        features = np.array([_embedding(f) for f in found])
        lab_features = np.array([_embedding(f) for f in known])
        labeled_words = np.concatenate([self.words[list(picked)], self.training_words])
        pool = Pool(
            assets=[self.assets[i] for i in left],
            wanted=PICKS,
            seed=self.seed,
            objects=Objects(image, shares),
            features=features,
            hashes=Hashes(self.words[left], np.ones(len(left), bool)),
            labeled=Labeled(class_counts=np.array(model.labelled, float), hashes=Hashes(labeled_words, np.ones(len(labeled_words), bool)), features=lab_features),
        )
        return pool, left

    def curve(self, strategy) -> dict:
        model, picked = self.first, []
        scores = [self.first_score()]
        dup = []
        for _ in range(ROUNDS):
            pool, left = self.pool(model, picked)
            places = strategy(pool)
            new = [left[p] for p in places]
            bits = np.bitwise_count(self.words[new][:, None] ^ self.words[new][None]).sum(-1)
            bits[np.triu_indices(len(new))] = 999
            dup.append(int((bits.min(1) <= 40).sum()))
            picked += new
            model = self.trained(picked)
            scores.append(self.score(model))
        boxes = np.concatenate([self.truths["pool"][i].classes for i in picked])
        return {"scores": scores, "dup": dup, "boxes": len(boxes), "rare": int(np.isin(boxes, self.rare).sum())}

    def first_score(self) -> float:
        if not hasattr(self, "_first"):
            self._first = self.score(self.first)
        return self._first


def truth_of(path: str) -> Truth:
    p = Path(path)
    xml = p.parent.parent / "annotations" / f"{p.stem}.xml"
    return read_truth(str(xml), export_format="voc", class_names=CLASSES)


if __name__ == "__main__":
    names = sys.argv[1].split(",")
    seeds = [int(s) for s in sys.argv[2].split(",")]
    out = Path(sys.argv[3])
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            t = time.time()
            bench = Bench(seed, Path(folder))
            print("built", seed, round(time.time() - t, 1), flush=True)
            for name in names:
                t = time.time()
                got = bench.curve(variants.VARIANTS[name])
                line = {"seed": seed, "name": name, **got, "t": round(time.time() - t, 1)}
                with out.open("ab") as f:
                    f.write(orjson.dumps(line) + b"\n")
                print(seed, name, [round(x, 3) for x in got["scores"]], round(float(np.mean(got["scores"][1:])), 4), got["dup"], got["boxes"], got["rare"], line["t"], flush=True)
