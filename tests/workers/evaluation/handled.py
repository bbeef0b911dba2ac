"""Versions with layers of predictions, and what the evaluate task makes of them."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow.parquet as pq

from schemas.evaluations import CurvesTable, Evaluation, EvaluationTable, LabelError
from schemas.model_parameters import EvaluateParameters
from schemas.outcomes import EvaluationRecord, Outcome
from storage.datasets.content import Content, LayerContent
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.selections import all_rows
from tests.workers.loop_world import World
from workers.formats.rle import mask_of
from workers.handlers.evaluate import evaluate
from workers.work import Work


async def with_layer(world: World, content: Content, name: str, rows: Mapping[int, Sequence[AnnotationRow]]) -> Content:
    """Return a content with a layer on some of its pictures, by their numbers."""
    named = {row.image.file_name: row.image.asset async for row in world.library.rows(content)}
    images = [ImageRow(named[f"{number}.jpg"]) for number in rows]
    built = build_segment(images, list(rows.values()), layer=name, described=False)
    segment = await world.library.keep_segment(built)
    return content.with_layer(name, LayerContent({segment: all_rows(len(rows))}))


async def evaluated(world: World, content: Content, **changes: object) -> Outcome:
    """Return what evaluating the layer ``model`` comes to."""
    asked = EvaluateParameters.model_validate({"source": "any", "layer": "model", **changes})
    work: Work[EvaluateParameters] = world.work(asked, {"/source": await world.version(content)})
    return await evaluate(work, library=world.library, blobs=world.blobs, database=world.database)


def evaluation_of(outcome: Outcome) -> Evaluation:
    """Return the one evaluation of an outcome."""
    (record,) = outcome.records
    assert isinstance(record, EvaluationRecord)
    return record.evaluation


async def table_of(world: World, outcome: Outcome) -> EvaluationTable:
    """Return the table of an outcome's evaluation."""
    return EvaluationTable.model_validate_json(await world.blobs.get(evaluation_of(outcome).table.digest))


async def curves_of(world: World, outcome: Outcome) -> CurvesTable:
    """Return the curves of an outcome's evaluation."""
    blob = evaluation_of(outcome).curves
    assert blob is not None
    return CurvesTable.model_validate_json(await world.blobs.get(blob.digest))


async def marks_of(world: World, outcome: Outcome) -> list[tuple[str, str, str, float | None]]:
    """Return layer, class, mark and IoU of each annotation."""
    data = await world.blobs.get(evaluation_of(outcome).marks.digest)
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    return sorted(
        ((row["layer"], row["class"], row["mark"], row["iou"]) for row in rows), key=lambda row: (row[:3], row[3] or 0)
    )


async def label_errors_of(world: World, outcome: Outcome) -> list[LabelError]:
    """Return the likely label errors, the likeliest first."""
    blob = evaluation_of(outcome).label_errors
    assert blob is not None
    rows = pq.read_table(io.BytesIO(await world.blobs.get(blob.digest))).to_pylist()
    ids = ("asset", "annotation", "prediction")
    return [LabelError.model_validate(row | {name: row[name] and row[name].hex() for name in ids}) for row in rows]


def painted(name: str, *, columns: slice, rows: slice = slice(None), confidence: float | None = None) -> AnnotationRow:
    """Return the mask of some columns and rows of a picture of the world, 80 pixels high and 100 wide."""
    pixels = np.zeros((80, 100), np.bool_)
    pixels[rows, columns] = True
    return AnnotationRow(class_name=name, mask=mask_of(pixels), confidence=confidence)
