"""The trained detector and its file: arrays and a line of JSON in one .npz, no pickle, equal bytes for equal models."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tiny_detector.boxes import Floats
from tiny_detector.errors import ModelError
from tiny_detector.windows import FEATURES

FORMAT = "tiny-detector 1"
FILE_NAME = "model.npz"


@dataclass(frozen=True)
class Model:
    """Classes in order, how often each was labelled, the scales, and two linear maps with their intercepts."""

    class_names: tuple[str, ...]
    labelled: tuple[int, ...]
    image_size: int
    sides: tuple[float, ...]
    classifier: Floats  # FEATURES + 1 rows; a column for each class and, last, the background
    refiner: Floats  # FEATURES + 1 rows, 4 columns


def save(model: Model, path: Path) -> None:
    """Write the file that `load_first` reads."""
    about = {
        "format": FORMAT,
        "class_names": model.class_names,
        "labelled": model.labelled,
        "image_size": model.image_size,
        "sides": model.sides,
    }
    # numpy stamps every member 1980-01-01, so the bytes depend on the model alone.
    np.savez(path, about=np.array(json.dumps(about)), classifier=model.classifier, refiner=model.refiner)


def load_first(paths: Sequence[str]) -> Model:
    """Return the model in the first .npz of a list of files; raise ModelError."""
    found = [path for path in paths if path.endswith(".npz")]
    if not found:
        raise ModelError(f"no .npz among the model files: {', '.join(paths) or 'none given'}")
    try:
        return _read(found[0])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"cannot read the model {found[0]}: {error}") from error


def _read(path: str) -> Model:
    with np.load(path, allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        model = Model(
            class_names=tuple(about["class_names"]),
            labelled=tuple(about["labelled"]),
            image_size=int(about["image_size"]),
            sides=tuple(float(side) for side in about["sides"]),
            classifier=arrays["classifier"].astype(np.float32),
            refiner=arrays["refiner"].astype(np.float32),
        )
    if about["format"] != FORMAT:
        raise ValueError(f"its format is {about['format']!r}, not {FORMAT!r}")
    shapes = (FEATURES + 1, len(model.class_names) + 1), (FEATURES + 1, 4)
    if (model.classifier.shape, model.refiner.shape) != shapes or not model.sides or min(model.sides) <= 0:
        raise ValueError("its arrays do not fit its classes")
    return model
