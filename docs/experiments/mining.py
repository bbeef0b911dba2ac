"""The experiment of docs/mining.md: strategies on the demo's pictures, the same start and the same budgets for all.

The pictures, the detector and the strategies are those of the demo and of the service, without the service between
them: a seed takes about 35 s on a core. ``make experiment`` runs it, prints the table and draws the figure.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from client.demo.digits import CLASSES, DigitSet, build
from docs.experiments.curves import Curve, keep, read
from docs.experiments.figure import FIGURE, drawn
from docs.experiments.told import table
from schemas.mining import Strategies
from storage.datasets.asset_ids import ASSET_BYTES
from storage.datasets.near_duplicates import Hashes
from tiny_detector.annotations import Truth, read_truth
from tiny_detector.average_precision import mean_average_precision
from tiny_detector.detect import Found, detect
from tiny_detector.infer import embedding
from tiny_detector.lessons import Lessons
from tiny_detector.model import Model
from tiny_detector.pyramids import Pyramids
from tiny_detector.settings import DetectionSettings, TrainingSettings
from tiny_detector.train import Examples, untrained
from tiny_detector.windows import Pyramid
from workers.images import BadImage, Limits, inspect_image
from workers.mining.objects import Objects
from workers.mining.pool import Labeled, Numbers, Pool, unit
from workers.mining.strategies import picks

STRATEGIES: Final[Mapping[str, Strategies]] = {"two_stage": "two_stage", "entropy": "entropy", "random": "random"}
ROUNDS: Final = 3
PICKS: Final = 50
ALIKE_BITS: Final = 40
TRAINING: Final = TrainingSettings()
DETECTION: Final = DetectionSettings()


class Pictures:
    """The pictures of one folder: what is on them, their windows and their hashes, computed once."""

    def __init__(self, folder: Path, *, sides: Sequence[float]) -> None:
        self.paths = sorted(str(path) for path in (folder / "images").iterdir())
        self.truths = [_truth(folder, path) for path in self.paths]
        pyramids = Pyramids(self.paths, image_size=TRAINING.image_size, sides=sides)
        self.windows = [pyramids[number] for number in range(len(self.paths))]

    @cached_property
    def hashes(self) -> NDArray[np.uint64]:
        """The perceptual hashes, as an import takes them."""
        rows = [inspect_image(Path(path), name=path, limits=Limits()) for path in self.paths]
        hashes = b"".join(row.perceptual_hash for row in rows if not isinstance(row, BadImage))
        return np.frombuffer(hashes, "<u8").reshape(-1, 4).astype(np.uint64)


class Seed:
    """Everything of one seed; the scales of windows are those of the first model, so that they are computed once."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self._made: DigitSet = build(folder, seed=seed)
        paths = sorted(str(path) for path in (self._made.training / "images").iterdir())
        truths = [_truth(self._made.training, path) for path in paths]
        self._blank = untrained(Examples(paths, truths), CLASSES, TRAINING)
        self._training, self._validation, self._pool = (
            Pictures(made, sides=self._blank.sides)
            for made in (self._made.training, self._made.validation, self._made.pool)
        )

    def curve(self, strategy: str) -> Curve:
        """Return what comes of a strategy over all rounds."""
        picked: list[int] = []
        model, scores, alike = self._start, [self._score(self._start)], []
        for _ in range(ROUNDS):
            left = [place for place in range(len(self._pool.paths)) if place not in set(picked)]
            chosen = picks(self._seen(model, left, picked), STRATEGIES[strategy])
            new = [left[pick.place] for pick in chosen]
            alike.append(_alike(self._pool.hashes[new]))
            picked += new
            model = self._trained(picked)
            scores.append(self._score(model))
        classes = np.concatenate([self._pool.truths[place].classes for place in picked])
        rare = [CLASSES.index(name) for name in self._made.rare]
        return Curve(self.seed, strategy, scores, alike, len(classes), int(np.isin(classes, rare).sum()))

    @cached_property
    def _start(self) -> Model:
        return self._trained([])

    def _trained(self, picked: Sequence[int]) -> Model:
        windows = [*self._training.windows, *(self._pool.windows[place] for place in picked)]
        truths = [*self._training.truths, *(self._pool.truths[place] for place in picked)]
        counts = np.bincount(np.concatenate([truth.classes for truth in truths]), minlength=len(CLASSES))
        lessons = Lessons(windows, truths, TRAINING)
        lessons.begin(_unwatched)
        model = lessons.fitted(replace(self._blank, labelled=tuple(counts.tolist())))
        for _ in range(TRAINING.hard_negative_rounds):
            lessons.add_mistakes(model, _unwatched)
            model = lessons.fitted(model)
        return model

    def _score(self, model: Model) -> float:
        found = [one.by_class(min_score=DETECTION.min_score) for one in _looked(model, self._validation.windows)]
        return mean_average_precision(found, self._validation.truths)

    def _seen(self, model: Model, left: Sequence[int], picked: Sequence[int]) -> Pool:
        found = _looked(model, [self._pool.windows[place] for place in left])
        image: Numbers = np.repeat(np.arange(len(left)), [len(one.boxes) for one in found])
        hashes = np.concatenate([self._pool.hashes[list(picked)], self._training.hashes])
        return Pool(
            assets=[place.to_bytes(ASSET_BYTES, "big") for place in left],
            wanted=PICKS,
            seed=self.seed,
            classes=CLASSES,
            objects=Objects(image, np.concatenate([one.probabilities for one in found])),
            features=unit(np.array([embedding(one) for one in found])),
            hashes=_known(self._pool.hashes[left]),
            labeled=Labeled(class_counts=np.array(model.labelled, np.float64), hashes=_known(hashes)),
        )


def main() -> None:
    """Run what is not in the file of results yet, then write what it amounts to."""
    given = _arguments()
    for seed in range(given.first, given.first + given.seeds):
        done = {(curve.seed, curve.strategy) for curve in read(given.results)}
        missing = [strategy for strategy in STRATEGIES if (seed, strategy) not in done]
        if missing:
            _measure(seed, missing, into=given.results)
    curves = [curve for curve in read(given.results) if given.first <= curve.seed < given.first + given.seeds]
    FIGURE.write_text(drawn(curves), encoding="utf-8")
    print(f"\n{table(curves)}\n\nThe figure is in {FIGURE}.")


def _measure(seed: int, strategies: Sequence[str], *, into: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pictures = Seed(seed, Path(folder))
        for strategy in strategies:
            curve = pictures.curve(strategy)
            keep(into, curve)
            print(f"{seed} {strategy}: {', '.join(f'{score:.3f}' for score in curve.scores)}", flush=True)


def _looked(model: Model, windows: Sequence[Pyramid]) -> list[Found]:
    return [detect(one, model, DETECTION) for one in windows]


def _truth(folder: Path, image: str) -> Truth:
    annotations = folder / "annotations" / f"{Path(image).stem}.xml"
    return read_truth(str(annotations), export_format="voc", class_names=CLASSES)


def _known(words: NDArray[np.uint64]) -> Hashes:
    return Hashes(words, np.ones(len(words), np.bool_))


def _alike(words: NDArray[np.uint64]) -> int:
    bits = np.bitwise_count(words[:, None] ^ words[None]).sum(axis=2)
    np.fill_diagonal(bits, ALIKE_BITS + 1)
    return int((bits <= ALIKE_BITS).any(axis=1).sum())


def _unwatched(_: float) -> None:
    """Nobody looks at the progress."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make experiment", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds (10)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument(
        "--results",
        type=Path,
        default=Path(__file__).with_name("mining.jsonl"),
        help="where what is measured is kept; what is there already is not measured again",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
