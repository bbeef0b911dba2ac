"""Export for Label Studio: tasks with annotations, or with predictions that annotators start from."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final
from urllib.parse import quote

import orjson

from workers.findings import Findings
from workers.formats.class_numbers import ClassNumbers
from workers.formats.exporter import ExportedImage, Member, Order
from workers.formats.label_studio_writer import IMAGE, labeling_config, results_of, task_losses
from workers.formats.split_lists import SPLIT_NAMES

FILE: Final = "label-studio.json"
CONFIGURATION: Final = "label-config.xml"
SERVED: Final = "/data/local-files/?d=images/"
"""How Label Studio serves files below its document root, which is to be where the export is unpacked."""


class LabelStudioExporter:
    """``label-studio.json``, a task for each image, and ``label-config.xml``.

    A task without annotations is an image that is not annotated; one annotated as empty has an annotation without
    results. What Label Studio has no place for is under ``meta.ymir`` of a result, and ``data``.
    """

    displayed: ClassVar = True

    def __init__(self, order: Order) -> None:
        self._losses = order.losses
        self._classes = ClassNumbers(order.classes, first=0)
        self._tasks = order.spool("tasks")

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Take an image."""
        tell(image, self._losses, self._classes)
        work = [] if image.annotations is None else [{"result": results_of(image)}]
        task = {"data": _data(image), "annotations": work}
        self._tasks.write((b",\n" if self._tasks.written else b"") + orjson.dumps(task))
        yield from ()

    def finish(self) -> Iterator[Member]:
        """Yield the tasks, and the configuration of a project for them."""
        yield Member(FILE, self._pieces())
        yield Member(CONFIGURATION, [labeling_config([name for name, _ in self._classes.items()])])

    def _pieces(self) -> Iterator[bytes]:
        yield b"["
        yield from self._tasks.pieces()
        yield b"]\n"


class PreAnnotationExporter:
    """``annotations/<stem>.json``, a task with predictions for each image: YMIR's ``ls_json``."""

    displayed: ClassVar = True

    def __init__(self, order: Order) -> None:
        self._losses = order.losses
        self._layer = order.layer
        self._classes = ClassNumbers(order.classes, first=0)

    def add(self, image: ExportedImage) -> Iterator[Member]:
        """Yield the task of an image."""
        tell(image, self._losses, self._classes)
        work = [] if image.annotations is None else [{"model_version": self._layer, "result": results_of(image)}]
        task = {"data": _data(image), "predictions": work}
        yield Member(f"annotations/{image.stem}.json", [orjson.dumps(task)])

    def finish(self) -> Iterator[Member]:
        """Yield the configuration of a project."""
        yield Member(CONFIGURATION, [labeling_config([name for name, _ in self._classes.items()])])


def tell(image: ExportedImage, losses: Findings, classes: ClassNumbers) -> None:
    """Tell what is lost of an image, and number its classes."""
    for row in image.annotations or ():
        classes.of(row.class_name)
        for kind, detail in task_losses(row):
            losses.add(image.subject(row), detail, kind=kind)


def _data(image: ExportedImage) -> dict[str, Any]:
    data: dict[str, Any] = {IMAGE: SERVED + quote(image.name)}
    if image.split in SPLIT_NAMES:
        data["split"] = SPLIT_NAMES[image.split]
    if image.attributes:
        data["attributes"] = image.attributes
    return data
