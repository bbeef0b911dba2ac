"""The input of a training: images, annotations of the classes asked for, and an index for each set."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final, NamedTuple

from schemas.annotations import LayerName
from schemas.errors import Invalid
from storage.cache import BlobCache
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.rows import AssetRow
from workers.executors.contract import ExportFormat
from workers.executors.inputs import annotator, index_lines, write_coco, write_images
from workers.executors.layout import TRAINING_INDEX, VALIDATION_INDEX
from workers.executors.preprocessing import Preprocessor
from workers.executors.runs import Run
from workers.executors.training_sets import TrainingSets

NO_CLASS: Final = "(no class)"


class Written(NamedTuple):
    """What one set came to."""

    images: int
    annotations: int
    other_classes: Counter[str]
    """How many annotations were left out, by class."""


class TrainingInput(NamedTuple):
    """What both sets came to."""

    training: Written
    validation: Written
    resized: int = 0
    """How many images the executor sees in another size."""


async def write_training_input(
    sets: TrainingSets,
    run: Run,
    *,
    layer: LayerName,
    classes: Sequence[str],
    export_format: ExportFormat,
    library: Library,
    cache: BlobCache,
    preprocessor: Preprocessor,
) -> TrainingInput:
    """Write both sets into a run's input folder; raise Invalid if there is no object of the classes to learn from."""
    writers = [
        _SetWriter(run, layer=layer, classes=classes, export_format=export_format, index=index)
        for index in (TRAINING_INDEX, VALIDATION_INDEX)
    ]
    for writer, content in zip(writers, (sets.training, sets.validation), strict=True):
        rows = _rows(content, layer, library)
        await write_images(rows, run.folder, cache=cache, each=writer.take, preprocessor=preprocessor)
        await asyncio.to_thread(writer.finish)
    training, validation = (writer.written() for writer in writers)
    if not training.annotations:
        raise Invalid(
            f"There is no object of {', '.join(classes)} on the {training.images} images for training.",
            step="Name other classes, or sources that have these.",
        )
    return TrainingInput(training, validation, preprocessor.resized)


async def _rows(content: Content, layer: LayerName, library: Library) -> AsyncIterator[AssetRow]:
    async for row in library.rows(content, layers=[layer]):
        yield row


class _SetWriter:
    """Writes the annotations and the index of one set as its images come."""

    def __init__(
        self, run: Run, *, layer: LayerName, classes: Sequence[str], export_format: ExportFormat, index: str
    ) -> None:
        self._run = run
        self._layer = layer
        self._classes = classes
        self._index = run.folder.given / index
        self._name = index.removesuffix("-index.tsv")
        self._annotate = annotator(export_format, run.folder, layer=layer, classes=classes, name=self._name)
        # COCO's is one document of all images; the other formats have a file for each.
        self._rows: list[AssetRow] | None = [] if export_format is ExportFormat.COCO else None
        self._images = self._annotations = 0
        self._other: Counter[str] = Counter()
        self._index.touch()

    def take(self, rows: Sequence[AssetRow]) -> None:
        """Write some images' annotations."""
        known = [self._of_classes(row, self._classes) for row in rows]
        lines = index_lines(known, layout=self._run.layout, annotations=self._annotate(known))
        with self._index.open("a", encoding="utf-8") as file:
            file.writelines(lines)
        if self._rows is not None:
            self._rows += known

    def finish(self) -> None:
        """Write what is written once for all images."""
        if self._rows is not None:
            write_coco(self._rows, self._run.folder, layer=self._layer, classes=self._classes, name=self._name)

    def written(self) -> Written:
        """Return what was written."""
        return Written(self._images, self._annotations, self._other)

    def _of_classes(self, row: AssetRow, classes: Collection[str]) -> AssetRow:
        annotations = row.layers[self._layer]
        known = tuple(annotation for annotation in annotations if annotation.class_name in classes)
        if len(known) < len(annotations):
            self._other.update(
                annotation.class_name or NO_CLASS for annotation in annotations if annotation not in known
            )
        self._images += 1
        self._annotations += len(known)
        return row._replace(layers={self._layer: known})
