"""Training: epochs of batches, and every few of them a stage with its mAP on the validation images."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from torch_detector.annotations import Truth, read_truth
from torch_detector.augment import Augmentation
from torch_detector.average_precision import mean_average_precision
from torch_detector.balance import times_shown
from torch_detector.checkpoint import Model, progress_of, read_model, weights_of
from torch_detector.contract import Environment, class_names, model_files, read_index
from torch_detector.detect import looked_at
from torch_detector.devices import chosen_device
from torch_detector.errors import DatasetError
from torch_detector.loading import Batches, Images
from torch_detector.monitor import Monitor
from torch_detector.network import Shape
from torch_detector.pretrained import begin, go_on
from torch_detector.scalars import Scalars
from torch_detector.settings import (
    FORMATS,
    DetectionSettings,
    LoadingSettings,
    NetworkSettings,
    TrainingSettings,
    chosen,
)
from torch_detector.stages import Stages
from torch_detector.student import Student


@dataclass(frozen=True)
class Examples:
    """An index file read: image paths and the boxes on them."""

    paths: list[str]
    truths: list[Truth]


@dataclass(frozen=True)
class Lessons:
    """What is learnt from, and what is checked on."""

    training: Batches
    validation: Batches
    truths: list[Truth]


def train(environment: Environment, config: Mapping[str, Any], monitor: Monitor) -> None:
    """Write stages, the result file and TensorBoard's events; raise ExecutorError."""
    settings, network = chosen(TrainingSettings, config), chosen(NetworkSettings, config)
    names, files = class_names(config), model_files(config, "pretrained_model_params")
    device = chosen_device(config, chosen(LoadingSettings, config))
    known = read_model(files) if files else None
    shape = Shape(len(names), network.finest_stride, network.width, network.depth)
    if known is not None:
        shape = known.shape._replace(classes=len(names))
    lessons = _lessons(environment, config, names, shape, device=device)
    student = Student(shape, settings, steps=len(lessons.training), device=device)
    done = 0
    if known is not None:
        begin(student, known, names)
        done = go_on(student, known, files, names, settings) if settings.resume else 0
    course = Course(student, lessons, names, config, device=device)
    stages = Stages(environment.models_dir, environment.training_result, every=settings.keep_every)
    with closing(Scalars(environment.tensorboard_dir)) as scalars:
        course.run(done, stages, scalars, monitor)


class Course:
    """One training, epoch by epoch."""

    def __init__(
        self,
        student: Student,
        lessons: Lessons,
        names: tuple[str, ...],
        config: Mapping[str, Any],
        *,
        device: torch.device,
    ) -> None:
        self._student, self._lessons, self._names, self._device = student, lessons, names, device
        self._settings, self._detection = chosen(TrainingSettings, config), chosen(DetectionSettings, config)
        self._image_size = chosen(NetworkSettings, config).image_size

    def run(self, done: int, stages: Stages, scalars: Scalars, monitor: Monitor) -> None:
        """Learn the epochs that are left, or until none has been better for as long as `patience` says."""
        last = self._settings.epochs
        for epoch in range(done + 1, last + 1):
            began = time.monotonic()
            values = self._learn(epoch, monitor)
            if epoch % self._settings.evaluate_every == 0 or epoch == last:
                values["mAP"] = self._check(epoch, stages)
            values["seconds"] = time.monotonic() - began
            scalars.add(values, epoch=epoch)
            print(f"epoch {epoch}/{last}: {_listed(values)}", flush=True)
            monitor.running(epoch / last)
            if self._settings.patience and stages.kept and epoch - stages.best.epoch >= self._settings.patience:
                print(f"no epoch has been better since {stages.best.epoch}: enough", flush=True)
                return

    def _learn(self, epoch: int, monitor: Monitor) -> dict[str, float]:
        rate, sums = self._student.learning_rate, np.zeros(3)
        steps = len(self._lessons.training)
        for step, batch in enumerate(self._lessons.training.epoch(epoch), 1):
            wrong = self._student.learn(batch)
            sums += [float(part.detach()) for part in wrong]
            monitor.running((epoch - 1 + step / (steps + 1)) / self._settings.epochs)
        means = (float(value) for value in sums / steps)
        parts = ("loss/classes", "loss/boxes", "loss/quality")
        return {**dict(zip(parts, means, strict=True)), "learning_rate": rate}

    def _check(self, epoch: int, stages: Stages) -> float:
        """Keep a stage and return its mAP."""
        average = self._student.average
        seen = looked_at(
            average, self._lessons.validation, self._detection, device=self._device, kind=self._student.kind
        )
        found = [one.detections for _, _, images in seen for one in images]
        score = mean_average_precision(found, self._lessons.truths)
        model = Model(self._names, self._image_size, average.shape, weights_of(average))
        stages.add(score, model, progress_of(self._student, epoch=epoch))
        return score


def _lessons(
    environment: Environment, config: Mapping[str, Any], names: tuple[str, ...], shape: Shape, *, device: torch.device
) -> Lessons:
    settings, size = chosen(TrainingSettings, config), chosen(NetworkSettings, config).image_size
    loading, side = chosen(LoadingSettings, config), shape.side_of_canvas(size)
    training = _examples(read_index(environment.training_index), names, settings)
    checks = read_index(environment.validation_index) if environment.validation_index else []
    validation = _examples(checks, names, settings)
    boxes = sum(len(truth.classes) for truth in training.truths)
    if not boxes:
        raise DatasetError(f"no training image has a box of any of the classes {', '.join(names)}")
    print(
        f"{len(training.paths)} images to learn from with {boxes} boxes, {len(validation.paths)} to check", flush=True
    )
    how = Augmentation(settings.flip, settings.scale_jitter, settings.colour_jitter)
    shown = Images(training.paths, training.truths, size, side, augmentation=how, seed=settings.seed)
    asked = Images(validation.paths, validation.truths, size, side)
    times = times_shown(training.truths, classes=len(names)) if settings.balance else None
    batch, workers = loading.batch_size, loading.workers
    return Lessons(
        training=Batches(shown, batch_size=batch, workers=workers, device=device, seed=settings.seed, times=times),
        validation=Batches(asked, batch_size=batch, workers=workers, device=device),
        truths=validation.truths,
    )


def _examples(lines: list[list[str]], names: tuple[str, ...], settings: TrainingSettings) -> Examples:
    export_format = FORMATS[settings.export_format]
    truths = [
        read_truth(line[1] if len(line) > 1 else "", export_format=export_format, class_names=names) for line in lines
    ]
    return Examples([line[0] for line in lines], truths)


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())
