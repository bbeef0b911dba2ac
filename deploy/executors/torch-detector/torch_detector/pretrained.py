"""Beginning where another training ended: with its weights, or with all that it remembered."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from torch_detector.checkpoint import Model, read_progress, take_up
from torch_detector.errors import ConfigError
from torch_detector.settings import TrainingSettings
from torch_detector.student import Student

HEAD = ("classes.weight", "classes.bias")


def begin(student: Student, known: Model, names: tuple[str, ...]) -> None:
    """Give a student the weights of a model; classes of the same name take theirs along, others start anew."""
    weights = {name: torch.from_numpy(values) for name, values in known.weights.items()}
    fresh = student.model.state_dict()
    rows = {name: row for row, name in enumerate(known.class_names)}
    for part in HEAD:
        taken = fresh[part].cpu().clone()
        for row, name in enumerate(names):
            if name in rows:
                taken[row] = weights[part][rows[name]]
        weights[part] = taken
    student.model.load_state_dict(weights)
    student.follow()
    new = [name for name in names if name not in rows]
    print(f"starting from a pretrained model{'; new to it: ' + ', '.join(new) if new else ''}", flush=True)


def go_on(
    student: Student, known: Model, files: Sequence[str], names: tuple[str, ...], settings: TrainingSettings
) -> int:
    """Set a student back to where a training was and return the epochs done; 0 if its classes were others.

    Raises ModelError without `training.npz`, and ConfigError if there is nothing left to do.
    """
    if known.class_names != names:
        print("the pretrained model has other classes: its training cannot go on and starts anew", flush=True)
        return 0
    progress = read_progress(files)
    if progress.epoch >= settings.epochs:
        raise ConfigError(f"config.yaml: epochs is {settings.epochs}, and {progress.epoch} are done: raise it")
    take_up(student, progress)
    print(f"going on after epoch {progress.epoch}", flush=True)
    return progress.epoch
