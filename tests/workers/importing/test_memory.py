"""What an import remembers of each image takes a few bytes: joins and lists lie in files."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.exchange_parameters import ImportParameters, UnknownClasses
from storage.datasets.rows import ImageRow
from tests.workers.pictures import a_voc_file, an_object
from workers.findings import Findings
from workers.formats import json_stream, nameless, runs
from workers.formats.format import FileRecord
from workers.formats.listing import list_files
from workers.formats.registry import format_named
from workers.importing.assets import Assets
from workers.importing.classes import ClassResolver
from workers.importing.inspecting import Batch, Found
from workers.importing.seen import SeenAssets

FEW, MANY = 300, 3_000
BYTES_AN_IMAGE = 60
"""An entry of a dictionary with a path takes more than three times as much."""


@pytest.mark.parametrize("form", ["voc", "coco", "none"])
def test_what_a_format_remembers_of_an_image_takes_a_few_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    # What is held at a time is bounded, and here by as little as the few need.
    monkeypatch.setattr(runs, "KEPT", 500)
    monkeypatch.setattr(json_stream, "TOGETHER_BYTES", 1 << 12)
    monkeypatch.setattr(nameless, "HELD_BYTES", 1 << 12)
    folders = [a_folder(tmp_path / str(count), form, count) for count in (FEW, MANY)]

    def read(folder: Path) -> Any:  # noqa: ANN401 - whatever it is that is remembered
        reading = format_named(form).read(list_files(folder))
        records = iter(reading.records)
        return reading, records, next(records)

    assert growth(lambda count: read(folders[count == MANY])) < BYTES_AN_IMAGE


def test_what_is_remembered_of_an_asset_lies_in_a_file(tmp_path: Path) -> None:
    def taken(count: int) -> Any:  # noqa: ANN401 - whatever it is that is remembered
        scratch = tmp_path / f"{count}-{len(list(tmp_path.iterdir()))}"
        scratch.mkdir()
        parameters = ImportParameters.model_validate({"dataset": "d", "source": {"path": "/"}})
        classes = ClassResolver({}, policy=UnknownClasses.ADD)
        assets = Assets(parameters, classes=classes, findings=Findings(), seen=SeenAssets(scratch))
        for start in range(0, count, 100):
            images = [
                ImageRow(number.to_bytes(32, "big"), f"images/{number}.jpg") for number in range(start, start + 100)
            ]
            records = [FileRecord(image.file_name) for image in images]
            new = assets.take(records, Batch(tuple(map(Found, images)), {})).new
            assert len(new) == len(images)
        return assets

    assert growth(taken) < BYTES_AN_IMAGE


def growth(remembered: Callable[[int], Any]) -> float:
    """Return how many bytes more are held for each further image; what is loaded once is loaded before."""
    held = []
    for count in (MANY, FEW, MANY):
        tracemalloc.start()
        kept = remembered(count)
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        del kept
    return (held[2] - held[1]) / (MANY - FEW)


def a_folder(folder: Path, form: str, count: int) -> Path:
    """Write so many empty images, each with what annotates it."""
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for number in range(count):
        (folder / "images" / f"{number:05}.png").touch()
        if form == "voc":
            (folder / "annotations" / f"{number:05}.xml").write_text(a_voc_file(an_object("cat")))
    if form == "coco":
        box = {"category_id": 1, "bbox": [0, 0, 1, 1]}
        document = {
            "images": [{"id": number, "file_name": f"{number:05}.png"} for number in range(count)],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [{"id": number, "image_id": number // 5, **box} for number in range(5 * count)],
        }
        (folder / "annotations" / "instances.json").write_bytes(orjson.dumps(document))
    return folder
