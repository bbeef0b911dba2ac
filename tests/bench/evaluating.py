"""The evaluation, compared with COCO's own on the same boxes."""

import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from schemas.annotations import GROUND_TRUTH
from schemas.model_parameters import EvaluateParameters
from schemas.outcomes import EvaluationRecord, Outcome
from schemas.splits import Split
from storage.datasets.columns import ASSET_COLUMNS, BOX
from storage.datasets.content import Content, LayerContent
from storage.datasets.library import Library
from storage.datasets.segments import BuiltSegment, assembled
from storage.datasets.selections import all_rows
from tests.bench.measuring import peak_mb, timed
from tests.bench.place import BenchPlace, a_bench_place, sound
from tests.bench.row import Measured, Size
from tests.bench.synthetic import CLASSES, PER_IMAGE, annotation_table, image_table, some_assets
from workers.handlers.evaluate import evaluate

LAYER: Final = "model@best"
FOUND: Final = 0.8
FALSE_PER_IMAGE: Final = 4.0
RUNS: Final = 3
EQUAL: Final = 1e-6


class Objects(NamedTuple):
    """Boxes of shape (4, objects), with their image and class."""

    image: NDArray[np.int32]
    code: NDArray[np.int32]
    boxes: NDArray[np.float64]
    score: NDArray[np.float64] | None = None


async def prepare(folder: Path, size: Size) -> None:
    """Make a version with a ground truth and predictions: most boxes found a little off, and false ones."""
    random = np.random.default_rng(0)
    assets = some_assets(random, size.small)
    assets = assets[np.argsort(np.ascontiguousarray(assets).view("S32").ravel())]
    truths = _drawn(random, size.small, PER_IMAGE)
    false = _drawn(random, size.small, FALSE_PER_IMAGE)
    hit = np.flatnonzero(random.random(len(truths.code)) < FOUND)
    moved = np.maximum(truths.boxes[:, hit] + random.normal(0.0, 4.0, (4, len(hit))), 1.0)
    image = np.concatenate([truths.image[hit], false.image])
    order = np.argsort(image, kind="stable")
    found = Objects(
        image[order],
        np.concatenate([truths.code[hit], false.code])[order],
        np.concatenate([moved, false.boxes], axis=1)[:, order],
        random.random(len(image)),
    )
    async with a_bench_place(folder) as place:
        masks = [
            {await place.library.keep_segment(_segment(random, assets, some)): all_rows(size.small)}
            for some in (truths, found)
        ]
        content = Content(
            {Split.VALIDATION: masks[0]}, {GROUND_TRUTH: LayerContent(masks[0]), LAYER: LayerContent(masks[1])}
        )
        await place.name("all", await place.library.keep(content))


async def coco_map(folder: Path, size: Size) -> Measured:
    """Evaluate from files to figures and marks; then compare with faster-coco-eval, and take its time."""
    async with a_bench_place(folder) as place:
        outcomes: list[Outcome] = []

        async def act() -> None:
            library = Library(place.database, place.blobs)
            work = place.work(EvaluateParameters(source="all", layer=LAYER), _source="all")
            outcomes.append(await evaluate(work, library=library, blobs=place.blobs, database=place.database))

        runs, peak = await timed(act, runs=RUNS), peak_mb()
        (record,) = sound(outcomes[-1]).records
        if not isinstance(record, EvaluationRecord):
            raise TypeError(record)
        ours = record.evaluation.overall.ap or 0.0
        truths, found = [await _read_again(place, name) for name in (GROUND_TRUTH, LAYER)]
        start = time.perf_counter()
        theirs = _by_coco(truths, found, size.small)
        seconds = time.perf_counter() - start
    told = (
        f"mAP {ours:.7f}; faster-coco-eval {theirs:.7f} in {seconds:.2f} s here, from lists in memory and without marks"
    )
    wrong = "" if abs(ours - theirs) <= EQUAL else "the figures are not equal"
    return Measured(runs=runs, peak_mb=peak, told=told, wrong=wrong)


def _drawn(random: np.random.Generator, images: int, per_image: float) -> Objects:
    counts = random.poisson(per_image, images)
    total = int(counts.sum())
    sides = np.stack([*random.random((2, total)) * 300, *(random.random((2, total)) * 100 + 1)])
    image = np.repeat(np.arange(images, dtype=np.int32), counts)
    return Objects(image, random.integers(0, len(CLASSES), total, dtype=np.int32), sides)


def _segment(random: np.random.Generator, assets: NDArray[np.uint8], objects: Objects) -> BuiltSegment:
    counts = np.bincount(objects.image, minlength=len(assets)).astype(np.int32)
    ids = random.bytes(16 * len(objects.code))
    table = annotation_table(objects.image, objects.code, objects.boxes, ids=ids, confidence=objects.score)
    images = image_table(random, assets, counts)
    return assembled(images if objects.score is None else images.select(ASSET_COLUMNS.names), table)


async def _read_again(place: BenchPlace, layer: str) -> Objects:
    content = await place.content("all")
    (segment,) = content.layer_masks(layer)
    table = await (await place.library.segment(segment)).annotations()
    boxes = np.stack([table.column(side).to_numpy() for side in BOX])
    codes = np.array([CLASSES.index(name) for name in table.column("class").to_pylist()])
    return Objects(table.column("image").to_numpy(), codes, boxes, table.column("confidence").to_numpy())


def _by_coco(truths: Objects, found: Objects, images: int) -> float:
    expected = COCO(
        {
            "images": [{"id": image + 1, "width": 640, "height": 480} for image in range(images)],
            "categories": [{"id": code, "name": name} for code, name in enumerate(CLASSES)],
            "annotations": [{**one, "id": number, "iscrowd": 0} for number, one in enumerate(_plain(truths), start=1)],
        }
    )
    predicted = expected.loadRes(_plain(found))
    evaluation = COCOeval_faster(expected, predicted, "bbox", print_function=lambda *_: None)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


def _plain(objects: Objects) -> list[dict[str, Any]]:
    score = np.zeros(len(objects.code)) if objects.score is None else objects.score
    columns = (objects.image.tolist(), objects.code.tolist(), objects.boxes.T.tolist(), score.tolist())
    return [
        {"image_id": image + 1, "category_id": code, "bbox": box, "area": box[2] * box[3], "score": confidence}
        for image, code, box, confidence in zip(*columns, strict=True)
    ]
