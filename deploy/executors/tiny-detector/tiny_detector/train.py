"""Training: a linear classifier of windows, taught again with its own mistakes on background, and a box refiner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tiny_detector.annotations import Truth, read_truth
from tiny_detector.average_precision import mean_average_precision
from tiny_detector.boxes import Floats
from tiny_detector.contract import Environment, class_names, model_files, read_index
from tiny_detector.detect import detect
from tiny_detector.errors import DatasetError
from tiny_detector.events import EventFile
from tiny_detector.images import read_size
from tiny_detector.lessons import Lessons
from tiny_detector.model import Model, load_first
from tiny_detector.monitor import Monitor, Progress
from tiny_detector.pyramids import Pyramids
from tiny_detector.results import Stage, write_stage, write_training_result
from tiny_detector.settings import FORMATS, DetectionSettings, TrainingSettings, chosen
from tiny_detector.windows import FEATURES, scale_sides


@dataclass(frozen=True)
class Examples:
    """An index file read: image paths and the boxes on them."""

    paths: list[str]
    truths: list[Truth]

    def pyramids(self, model: Model, settings: TrainingSettings) -> Pyramids:
        """Return the windows of all images, as the model looks at them."""
        half = settings.cache_mb * 2**20 // 2  # training and validation images are kept at the same time
        return Pyramids(self.paths, image_size=model.image_size, sides=model.sides, cache_bytes=half)


def train(environment: Environment, config: Mapping[str, Any], monitor: Monitor) -> None:
    """Write a stage after each round of hard negatives, then the result file; raise ExecutorError."""
    settings, detection = chosen(TrainingSettings, config), chosen(DetectionSettings, config)
    names = class_names(config)
    training = _examples(read_index(environment.training_index), names, settings)
    validation = _examples(
        read_index(environment.validation_index) if environment.validation_index else [], names, settings
    )
    model = _warmed(untrained(training, names, settings), model_files(config, "pretrained_model_params"))
    print(f"training on {len(training.paths)} images, windows for objects of {_listed(model.sides)} px", flush=True)

    lessons = Lessons(training.pyramids(model, settings), training.truths, settings)
    checks = validation.pyramids(model, settings)
    lessons.begin(monitor.part(0, 0.3))
    model = lessons.fitted(model)
    stages, events = [], EventFile(environment.tensorboard_dir)
    for number in range(1, settings.hard_negative_rounds + 1):
        low, step = 0.3 + 0.7 * (number - 1) / settings.hard_negative_rounds, 0.7 / settings.hard_negative_rounds
        mistakes = lessons.add_mistakes(model, monitor.part(low, low + step / 3))
        model = lessons.fitted(model)
        score = _score(model, checks, validation.truths, detection, monitor.part(low + step / 2, low + step))
        print(f"epoch_{number}: {mistakes} mistakes on background taken, mAP {score:.4f}", flush=True)
        events.write(number, {"mAP": score, "mistakes": mistakes})
        stages.append(Stage(f"epoch_{number}", score))
        write_stage(environment.models_dir, stages[-1].name, model)
        write_training_result(environment.training_result, stages)


def _examples(lines: list[list[str]], names: tuple[str, ...], settings: TrainingSettings) -> Examples:
    export_format = FORMATS[settings.export_format]
    truths = [
        read_truth(line[1] if len(line) > 1 else "", export_format=export_format, class_names=names) for line in lines
    ]
    return Examples([line[0] for line in lines], truths)


def untrained(training: Examples, names: tuple[str, ...], settings: TrainingSettings) -> Model:
    """Return a model that has learnt nothing, with the scales that the training boxes need; raise DatasetError."""
    classes = np.concatenate([np.zeros(0, np.int64), *(truth.classes for truth in training.truths)])
    if not len(classes):
        raise DatasetError(f"no training image has a box of any of the classes {', '.join(names)}")
    return Model(
        class_names=names,
        labelled=tuple(int(count) for count in np.bincount(classes, minlength=len(names))),
        image_size=settings.image_size,
        sides=scale_sides(_object_sides(training, settings.image_size), most=settings.max_scales),
        classifier=np.zeros((FEATURES + 1, len(names) + 1), np.float32),
        refiner=np.zeros((FEATURES + 1, 4), np.float32),
    )


def _object_sides(examples: Examples, image_size: int) -> list[float]:
    """Return the longer side of each box in pixels of its image at working size."""
    sides: list[float] = []
    for path, truth in zip(examples.paths, examples.truths, strict=True):
        if len(truth.boxes):
            shrink = min(1.0, image_size / max(read_size(path)))
            sides += list((truth.boxes[:, 2:] - truth.boxes[:, :2]).max(axis=1) * shrink)
    return sides


def _warmed(model: Model, pretrained: list[str]) -> Model:
    """Return the model starting where a pretrained one ended, class by class; classes new to it start at zero."""
    if not pretrained:
        return model
    known = load_first(pretrained)
    columns = {name: known.classifier[:, index] for index, name in enumerate((*known.class_names, None))}
    fresh: Floats = np.zeros(FEATURES + 1, np.float32)
    classifier = np.stack([columns.get(name, fresh) for name in (*model.class_names, None)], axis=1)
    return replace(model, classifier=classifier)


def _score(
    model: Model, pyramids: Pyramids, truths: list[Truth], settings: DetectionSettings, progress: Progress
) -> float:
    found = []
    for index in range(len(pyramids)):
        found.append(detect(pyramids[index], model, settings).by_class(min_score=settings.min_score))
        progress((index + 1) / len(pyramids))
    return mean_average_precision(found, truths)


def _listed(sides: tuple[float, ...]) -> str:
    return ", ".join(f"{side:.0f}" for side in sides)
