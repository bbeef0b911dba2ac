"""Large versions out of random numbers: images with 7.3 boxes each, built column by column."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.annotations import GROUND_TRUTH
from schemas.manifests import SEGMENT_IMAGES
from schemas.splits import Split
from storage.datasets.columns import ANNOTATION_COLUMNS, ASSET_COLUMNS, BOX, DESCRIPTION_COLUMNS, fixed_bytes
from storage.datasets.content import Content, LayerContent
from storage.datasets.segments import BuiltSegment, assembled
from storage.datasets.selections import all_rows
from tests.bench.place import BenchPlace, a_bench_place
from tests.bench.row import Size

Assets = NDArray[np.uint8]
PER_IMAGE: Final = 7.3
CLASSES: Final = tuple(f"class{number:02}" for number in range(20))
OVERLAP: Final = 0.1
CHANGE: Final = 0.01


async def prepare(folder: Path, size: Size) -> None:
    """Make a host, a guest that has a tenth of its images, and a change of a hundredth, half of it new images."""
    random = np.random.default_rng(0)
    host, others = some_assets(random, size.images), some_assets(random, size.images)
    shared, half = int(size.images * OVERLAP), int(size.images * CHANGE / 2)
    async with a_bench_place(folder) as place:
        await keep_version(place, "host", host, random)
        await keep_version(place, "guest", np.concatenate([host[:shared], others[shared:]]), random)
        await keep_version(place, "change", np.concatenate([host[:half], others[:half]]), random)


async def keep_version(place: BenchPlace, name: str, assets: Assets, random: np.random.Generator) -> None:
    """Keep a version of some images, each with boxes, under a name."""
    masks = {}
    for start in range(0, len(assets), SEGMENT_IMAGES):
        built = a_segment(random, assets[start : start + SEGMENT_IMAGES])
        masks[await place.library.keep_segment(built)] = all_rows(built.document.image_rows)
    content = Content({Split.TRAINING: masks}, {GROUND_TRUTH: LayerContent(masks)})
    await place.name(name, await place.library.keep(content))


def some_assets(random: np.random.Generator, count: int) -> Assets:
    """Return ids as a matrix of shape (count, 32)."""
    return random.integers(0, 256, (count, 32), dtype=np.uint8)


def a_segment(random: np.random.Generator, assets: Assets) -> BuiltSegment:
    """Return a segment of some images, each with a Poisson number of boxes."""
    order = np.argsort(np.ascontiguousarray(assets).view("S32").ravel())
    counts = random.poisson(PER_IMAGE, len(assets)).astype(np.int32)
    total = int(counts.sum())
    boxes = random.random((4, total)) * [[500.0], [400.0], [139.0], [79.0]] + [[0.0], [0.0], [1.0], [1.0]]
    table = annotation_table(
        np.repeat(np.arange(len(assets), dtype=np.int32), counts),
        random.integers(0, len(CLASSES), total, dtype=np.int32),
        boxes,
        ids=random.bytes(16 * total),
    )
    return assembled(image_table(random, assets[order], counts), table)


def image_table(random: np.random.Generator, assets: Assets, counts: NDArray[np.int32]) -> pa.Table:
    """Return the columns of images that are sorted and have so many annotations each."""
    rows = len(assets)
    columns = {
        "asset": fixed_bytes(assets.tobytes(), 32),
        "annotations": pa.array(counts),
        "file_name": pa.array([f"images/{row:08}.jpg" for row in range(rows)]),
        "width": pa.array(np.full(rows, 640, np.int32)),
        "height": pa.array(np.full(rows, 480, np.int32)),
        "orientation": pa.array(np.ones(rows, np.int8)),
        "channels": pa.array(np.full(rows, 3, np.int8)),
        "size": pa.array(random.integers(10_000, 200_000, rows)),
        "media_type": pa.repeat(pa.scalar("image/jpeg"), rows).dictionary_encode(),
        "perceptual_hash": fixed_bytes(random.bytes(32 * rows), 32),
    }
    return pa.table(columns, schema=pa.schema([*ASSET_COLUMNS, *DESCRIPTION_COLUMNS]))


def annotation_table(
    of_image: NDArray[np.int32],
    codes: NDArray[np.int32],
    boxes: NDArray[np.float64],
    *,
    ids: bytes,
    confidence: NDArray[np.float64] | None = None,
) -> pa.Table:
    """Return the columns of annotations; boxes have the shape (4, annotations)."""
    total = len(codes)
    nothing = {field.name: pa.nulls(total, field.type) for field in ANNOTATION_COLUMNS}
    columns = {
        **nothing,
        "image": pa.array(of_image),
        "id": fixed_bytes(ids, 16),
        "class": pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(CLASSES)),
        **{side: pa.array(np.ascontiguousarray(values)) for side, values in zip(BOX, boxes, strict=True)},
        "rotation": pa.array(np.zeros(total)),
        "polygons": _empty_lists(total, "polygons"),
        "keypoints": _empty_lists(total, "keypoints"),
        "crowd": pa.array(np.zeros(total, np.bool_)),
        "attributes": pa.repeat(pa.scalar(""), total),
        "author": pa.repeat(pa.scalar(""), total).dictionary_encode(),
    }
    if confidence is not None:
        columns["confidence"] = pa.array(confidence)
    return pa.table(columns, schema=ANNOTATION_COLUMNS)


def _empty_lists(count: int, name: str) -> pa.Array:
    kind = ANNOTATION_COLUMNS.field(name).type
    return pa.ListArray.from_arrays(np.zeros(count + 1, np.int32), pa.array([], kind.value_type))
