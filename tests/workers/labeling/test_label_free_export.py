"""Exports of LabelFree: whatever JSON is in one, an image is an answer or unfit, or the whole is refused."""

import json
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from schemas.errors import Invalid
from tests.workers.labeling.label_free_server import zipped
from workers.labeling.label_free_export import DOCUMENT, Form, told_of

ASSET: Final = "ab" * 32
IMAGE: Final = {"id": "1", "file_name": json.dumps(f"ab/{ASSET}.jpg"), "width": "100", "height": "80"}
OBJECT: Final = {"id": "1", "image_id": "1", "category_id": "1", "bbox": "[1,2,3,4]", "segmentation": "[]"}
CATEGORY: Final = {"id": "1", "name": '"cat"'}
WEIRD: Final = (
    *("null", "true", "-1", "1e308", "1e400", str(10**400), '""', '"x"', '"\\ud800"', '"\\u0000"', "[]", "{}"),
    *(
        "[[]]",
        "[null]",
        "[" * 3_000 + "]" * 3_000,
        "[[1e308,1e308,1e308,1e308,1e308,1e308]]",
        "[1e308,1e308,1e308,1e308]",
    ),
    *('{"size":[80,100],"counts":"zzz"}', '{"size":[80,100],"counts":[1e99]}', '{"size":[1e9,1e9],"counts":[]}'),
    *(
        '{"size":[80,100],"counts":[-1,8001]}',
        '{"size":[80,100],"counts":{"a":1}}',
        '{"size":[80,100],"counts":[8000]}',
    ),
)
FIELDS: Final = (*OBJECT, "iscrowd", "attributes", "author", "annotation_id", "keypoints", "rotation", "score")


def document(image: dict[str, str], annotation: dict[str, str], category: dict[str, str]) -> str:
    lists = {"images": image, "annotations": annotation, "categories": category}
    return written({key: f"[{written(value)}]" for key, value in lists.items()})


def written(fields: dict[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in fields.items()) + "}"


def spoken_of(text: str, folder: Path, *, form: str) -> int | None:
    """Return how many images an export speaks of, None if it is refused."""
    folder.mkdir()
    (folder / "export.zip").write_bytes(zipped({DOCUMENT: text.encode()}))
    try:
        told = [*told_of(folder / "export.zip", folder, form=Form(form))]
    except Invalid:
        return None
    return sum(len(one.answers) + len(one.unfit) for one in told)


@pytest.mark.parametrize("form", ["box", "mask", "polygon"])
def test_whatever_an_annotation_is_its_image_is_spoken_of(tmp_path: Path, form: str) -> None:
    for number, (weird, key) in enumerate(product(WEIRD, FIELDS)):
        text = document(IMAGE, {**OBJECT, key: weird}, CATEGORY)

        assert spoken_of(text, tmp_path / str(number), form=form) in {1, None}, (key, weird[:40])


def test_whatever_the_rest_is_it_is_read_or_refused(tmp_path: Path) -> None:
    wrong = [document({**IMAGE, key: weird}, OBJECT, CATEGORY) for weird, key in product(WEIRD, IMAGE)]
    wrong += [document(IMAGE, OBJECT, {**CATEGORY, key: weird}) for weird, key in product(WEIRD, CATEGORY)]
    wrong += [written({"images": weird, "annotations": "[]", "categories": "[]"}) for weird in WEIRD]

    for number, text in enumerate((*wrong, *WEIRD)):
        assert spoken_of(text, tmp_path / str(number), form="mask") in {0, 1, None}, text[:200]


def test_an_image_that_is_listed_twice_makes_the_export_unreadable(tmp_path: Path) -> None:
    other = {**IMAGE, "id": "2"}
    text = written({"images": f"[{written(IMAGE)},{written(other)}]", "annotations": "[]", "categories": "[]"})

    assert spoken_of(text, tmp_path / "twice", form="box") is None
