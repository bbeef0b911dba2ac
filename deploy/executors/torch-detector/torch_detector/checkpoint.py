"""Models on disk: arrays and a line of JSON in .npz files, no pickle, equal bytes for equal models.

A stage has two: `model.npz`, the averaged weights, which mine and infer; and `training.npz`, the weights as they are
being learnt and what the optimiser remembers, from which a training goes on.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torch_detector.errors import ModelError
from torch_detector.network import Detector, Shape
from torch_detector.student import Student

FORMAT = "torch-detector 1"
MODEL, TRAINING = "model.npz", "training.npz"
ABOUT, WEIGHTS, MOMENTS = "about", "weights", ("exp_avg", "exp_avg_sq")
READ_ERRORS = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Model:
    """What was learnt: the classes in order, the size to look at images in, the network's shape and its weights."""

    class_names: tuple[str, ...]
    image_size: int
    shape: Shape
    weights: Arrays

    def network(self, device: torch.device) -> Detector:
        """Return the network with these weights."""
        network = Detector(self.shape)
        network.load_state_dict({name: torch.from_numpy(values) for name, values in self.weights.items()})
        network.to(device).eval()
        return network


@dataclass(frozen=True)
class Progress:
    """How far a training was: epochs, steps, and the weights and moments of that time."""

    epoch: int
    step: int
    weights: Arrays
    moments: Mapping[str, Arrays]


def weights_of(network: Detector) -> Arrays:
    """Return a network's weights by their names."""
    return {name: values.detach().cpu().numpy() for name, values in network.state_dict().items()}


def progress_of(student: Student, *, epoch: int) -> Progress:
    """Return how far a training is."""
    named = dict(student.model.named_parameters())
    state = student.optimiser.state
    moments = {
        moment: {name: state[weights][moment].detach().cpu().numpy() for name, weights in named.items()}
        for moment in MOMENTS
    }
    return Progress(epoch, student.step, weights_of(student.model), moments)


def take_up(student: Student, progress: Progress) -> None:
    """Set a student back to where a training of the same network was; its average is left as it is."""
    student.model.load_state_dict({name: torch.from_numpy(values) for name, values in progress.weights.items()})
    student.step = progress.step
    for name, weights in student.model.named_parameters():
        remembered = {
            moment: torch.from_numpy(arrays[name]).to(weights.device) for moment, arrays in progress.moments.items()
        }
        student.optimiser.state[weights] = {"step": torch.tensor(float(progress.step)), **remembered}


def write(folder: Path, model: Model, progress: Progress) -> None:
    """Write the files of a stage."""
    about = {"format": FORMAT, "class_names": model.class_names, "image_size": model.image_size}
    _save(folder / MODEL, {**about, **model.shape._asdict()}, {WEIGHTS: model.weights})
    far = {"format": FORMAT, "epoch": progress.epoch, "step": progress.step}
    _save(folder / TRAINING, far, {WEIGHTS: progress.weights, **progress.moments})


def read_model(paths: Sequence[str]) -> Model:
    """Return the model among the files of a stage; raise ModelError."""
    path = _named(paths, MODEL)
    if path is None:
        raise ModelError(f"no {MODEL} among the model files: {', '.join(paths) or 'none given'}")
    try:
        about, groups = _load(path)
        shape = Shape(**{name: int(about[name]) for name in Shape._fields})
        model = Model(tuple(about["class_names"]), int(about["image_size"]), shape, groups[WEIGHTS])
        _check(model)
    except READ_ERRORS as error:
        raise ModelError(f"cannot read the model {path}: {error}") from error
    return model


def read_progress(paths: Sequence[str]) -> Progress:
    """Return how far the training of a stage was; raise ModelError."""
    path = _named(paths, TRAINING)
    if path is None:
        raise ModelError(f"no {TRAINING} among the model files, so its training cannot go on: set resume to false")
    try:
        about, groups = _load(path)
        moments = {moment: groups[moment] for moment in MOMENTS}
        return Progress(int(about["epoch"]), int(about["step"]), groups[WEIGHTS], moments)
    except READ_ERRORS as error:
        raise ModelError(f"cannot read the training {path}: {error}") from error


def _named(paths: Sequence[str], name: str) -> str | None:
    return next((path for path in paths if Path(path).name == name), None)


def _save(path: Path, about: Mapping[str, object], groups: Mapping[str, Arrays]) -> None:
    arrays: dict[str, NDArray[Any]] = {ABOUT: np.array(json.dumps(about))}
    arrays |= {f"{group}/{name}": values for group, named in groups.items() for name, values in named.items()}
    # numpy stamps every member 1980-01-01, so the bytes depend on the values alone.
    np.savez(path, allow_pickle=False, **arrays)


def _load(path: str) -> tuple[dict[str, Any], dict[str, dict[str, NDArray[np.float32]]]]:
    groups: dict[str, dict[str, NDArray[np.float32]]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        about = json.loads(str(arrays[ABOUT]))
        if about["format"] != FORMAT:
            raise ValueError(f"its format is {about['format']!r}, not {FORMAT!r}")
        for key in arrays.files:
            group, _, name = key.partition("/")
            if name:
                groups.setdefault(group, {})[name] = arrays[key].astype(np.float32)
    return about, groups


def _check(model: Model) -> None:
    if model.shape.classes != len(model.class_names):
        raise ValueError("it does not have a class name for each class")
    wanted = {name: tuple(values.shape) for name, values in Detector(model.shape).state_dict().items()}
    if {name: values.shape for name, values in model.weights.items()} != wanted:
        raise ValueError("its weights do not fit its shape")
