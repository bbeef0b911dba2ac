"""Export, then import: what each format holds comes back as it was, and what it cannot hold is told."""

from math import tau
from typing import Any

import numpy as np
import pytest

from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, AssetRow, MaskRow
from tests.workers.exports import a_version, archive_of, exported
from tests.workers.imports import Place
from workers.formats.rle import mask_of
from workers.image_pool import ImagePool

pytestmark = pytest.mark.slow

NEAR = 1e-3


def a_mask() -> MaskRow:
    picture = np.zeros((30, 40), dtype=np.bool_)
    picture[3:9, 4:20] = True
    picture[5, 6] = False
    return mask_of(picture)


BOXES = (
    AnnotationRow("cat", (1.0, 2.0, 3.0, 4.0)),
    AnnotationRow("big dog", (10.1, 2.3, 5.3, 7.77), rotation=0.25),
    AnnotationRow("dog", (0.0, 0.0, 30.0, 30.0)),
    AnnotationRow("dog", (0.0, 0.0, 30.0, 30.0)),
)
SHAPES = (
    *BOXES,
    AnnotationRow("cat", (5.5, 6.5, 9.25, 3.0), rotation=-2.5, attributes='{"brand":"acme","fast":true}'),
    AnnotationRow("dog", (1, 1, 5, 5), polygons=((1, 1, 6, 1, 6, 6), (2, 2, 3, 2, 3, 3.5))),
    AnnotationRow("dog", (0, 0, 9, 9), polygons=((1, 1, 6, 1, 6, 6),)),
    AnnotationRow("dog", (4, 3, 16, 6), mask=a_mask()),
    AnnotationRow("cat", (0, 0, 20, 20), polygons=((2, 2, 9, 2, 9, 9),), mask=a_mask(), attributes='{"brand":"x"}'),
    AnnotationRow("cat", (1, 1, 9, 9), keypoints=(1.0, 2.0, 2.0, 3.5, 4.0, 1.0, 4.5, 5.0, 1.0)),
    AnnotationRow("eye", None, keypoints=(1.0, 2.0, 2.0, 3.0, 4.0, 2.0)),
)
MIXED = AnnotationRow("hand", (1, 1, 9, 9), keypoints=(1.0, 2.0, 2.0, 0.0, 0.0, 0.0, 4.5, 5.0, 1.0))
HELD = {
    "ark": (*BOXES, AnnotationRow("cat", (3.5, 4.25, 10.0, 1.0), rotation=0.5, quality=0.75)),
    "datumaro": (
        *SHAPES,
        MIXED,
        AnnotationRow("dog", (0.25, 0.5, 0.5, 0.25), crowd=True, confidence=0.123456789),
        AnnotationRow("dog", (1, 1, 2, 2), attributes='{"deep":{"er":[1,null]},"group":3,"object_id":7,"z_order":2}'),
        AnnotationRow(None, (1, 1, 2, 2)),
    ),
    "cvat": (
        *SHAPES,
        MIXED,
        AnnotationRow("dog", (1, 1, 2, 2), attributes='{"occluded":true,"source":"auto","z_order":2}'),
        AnnotationRow("dog", (1, 1, 2, 3), attributes='{"age":1.5,"fast":false,"text":" a\\n<b>\\r&\\"ä\\" "}'),
        AnnotationRow("dog", (1, 1, 2, 4), attributes='{"age":3,"occluded":false,"source":"manual","text":"true"}'),
    ),
    "labelme": (
        *SHAPES,
        AnnotationRow("dog", (0.25, 0.5, 0.5, 0.25), confidence=0.125),
        AnnotationRow("dog", (1, 1, 2, 2), attributes='{"deep":{"er":[1,null]},"description":"a dog","occluded":true}'),
        AnnotationRow("eye", None, keypoints=(1.0, 2.0, 1.0), attributes='{"occluded":true}'),
    ),
}
OF_IMAGES = {
    "ark": "",
    "datumaro": '{"captions":["two dogs"],"frame":3,"labels":["indoors","night"],"weather":{"rain":true}}',
    "cvat": '{"fine":true,"labels":["indoors","night"],"level":2.5,"weather":"rain"}',
    "labelme": '{"fine":true,"labels":["indoors"],"weather":"rain"}',
}


def nearly(rows: tuple[AnnotationRow, ...], *, with_ids: bool) -> list[tuple[Any, ...]]:
    """Return what is equal to annotations that say the same, as near as it matters."""
    return [tuple(_near(value) for value in _comparable(row, with_ids=with_ids)) for row in rows]


def _comparable(row: AnnotationRow, *, with_ids: bool) -> AnnotationRow:
    return row._replace(rotation=row.rotation % tau, id=row.id if with_ids else None)


def _near(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    if isinstance(value, MaskRow) or value is None or isinstance(value, (str, bytes, bool)):
        return value
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return tuple(pytest.approx(inner, abs=NEAR) for inner in value)
    return pytest.approx(value, abs=NEAR)


@pytest.mark.parametrize("form", ["ark", "datumaro", "cvat", "labelme"])
async def test_what_a_format_holds_comes_back(place: Place, pool: ImagePool, form: str) -> None:
    keeps_ids = form in {"datumaro", "labelme"}
    # The others speak of the displayed picture, in which the mask has the wrong size if it lies sideways.
    turns = range(2, 9) if form in {"ark", "datumaro"} else range(2, 5)
    version = await a_version(
        place,
        ("images/a.jpg", 1, Split.TRAINING, HELD[form], OF_IMAGES[form]),
        ("images/empty.jpg", 1, Split.VALIDATION, (), ""),
        ("images/unlabeled.jpg", 1, Split.NONE, None, ""),
        *((f"turned/{turn}.jpg", turn, Split.NONE, HELD[form], "") for turn in turns),
    )
    content = await place.library.content(version.digest)
    before = {row.asset: row async for row in place.library.rows(content)}

    outcome = await exported(place, version, form)
    folder = place.folder / "again"
    (await archive_of(place, outcome)).extractall(folder)
    imported = await place.imported(pool, folder)
    after: dict[str, AssetRow] = {row.asset: row for row in (await place.rows(imported)).values()}

    summary: dict[str, Any] = outcome.result.summary
    losses = set(summary["losses"])
    assert losses <= {"annotation ids", "splits of images"}
    assert ("annotation ids" in losses) is not keeps_ids
    assert imported.result.summary["format"] == form
    assert after.keys() == before.keys()
    for asset, row in after.items():
        assert row.layers.keys() == before[asset].layers.keys()
        for name, annotations in row.layers.items():
            ids = keeps_ids and name == "ground_truth"
            given = nearly(before[asset].layers[name], with_ids=ids)
            assert [tuple(_comparable(row, with_ids=ids)) for row in annotations] == given
        assert row.split is before[asset].split or form == "labelme"


@pytest.mark.parametrize("form", ["ark", "datumaro", "cvat", "labelme"])
async def test_equal_versions_make_equal_archives(place: Place, form: str) -> None:
    version = await a_version(place, ("a.jpg", 1, Split.NONE, HELD["cvat"], ""), ("b.jpg", 1, Split.TEST, (), ""))

    first, second = await exported(place, version, form), await exported(place, version, form)

    assert first.result.archive == second.result.archive
