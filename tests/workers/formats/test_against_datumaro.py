"""Datumaro reads the same files, and some that we wrote, and finds in them what we do."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from schemas.annotations import GROUND_TRUTH
from schemas.splits import Split
from storage.datasets.mask_pixels import pixels_of
from storage.datasets.rows import AnnotationRow, AssetRow, ImageRow
from tests.workers.formats.round_trips import write
from tests.workers.formats.test_golden import GOLDEN, read, the_mask
from tests.workers.pictures import a_jpeg

DATUMARO = "datumaro==1.13.12"
SETTING = "YMIR_TEST_DATUMARO"
NEAR = 1e-3
# Its corners lie on edges of pixels, where ours, as VOC's own, are pixels inside of the box.
WIDER = {"voc": 1.0}
# No box is written there that other shapes of the object imply.
IMPLIED = frozenset({"our datumaro", "our cvat"})

# Its installation is part of it.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="session")
def datumaro_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a virtual environment that has Datumaro."""
    if given := os.environ.get(SETTING):
        return Path(given)
    folder = tmp_path_factory.mktemp("datumaro")
    if not os.environ.get("CI"):
        pytest.skip(f"set {SETTING}=DIR/bin/python after: python3 -m venv DIR && DIR/bin/pip install {DATUMARO}")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", DATUMARO], check=True)
    return folder / "bin/python"


def a_version() -> list[AssetRow]:
    rows = (
        AnnotationRow("dog", (4.5, 5.25, 10.0, 12.0)),
        AnnotationRow("big cat", (1.0, 1.0, 8.0, 8.5), polygons=((1, 1, 6, 1, 6, 6), (8, 8, 9, 8, 9, 9.5))),
        AnnotationRow("dog", (4.0, 3.0, 16.0, 6.0), mask=the_mask(), crowd=True),
    )
    image = ImageRow(b"\0" * 32, "a.jpg", 40, 30, 1, 3)
    return [AssetRow(image, Split.TRAINING, {GROUND_TRUTH: rows})]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str, Path]]:
    """Return folders by name: our format, Datumaro's, and where it lies; the last ones we wrote ourselves."""
    found = {
        "voc": ("voc", "voc_detection", GOLDEN / "voc"),
        "coco": ("coco", "coco", GOLDEN / "coco"),
        "yolo": ("yolo", "yolo", GOLDEN / "yolo"),
    }
    for ours, theirs in (("coco", "coco"), ("yolo", "yolo"), ("datumaro", "datumaro"), ("cvat", "cvat")):
        folder = tmp_path_factory.mktemp(ours)
        write(ours, a_version(), folder / "there", folder)
        (folder / "there" / "images" / "a.jpg").write_bytes(a_jpeg())
        found[f"our {ours}"] = (ours, theirs, folder / "there")
    return found


def test_what_datumaro_reads_is_what_we_read(
    datumaro_python: Path, folders: Mapping[str, tuple[str, str, Path]]
) -> None:
    script = GOLDEN / "datumaro_reads.py"
    arguments = [f"{name}={theirs}={folder}" for name, (_, theirs, folder) in folders.items()]

    ran = subprocess.run([datumaro_python, script, *arguments], check=True, capture_output=True, text=True)

    found = json.loads(ran.stdout.splitlines()[-1])
    assert found.keys() == folders.keys()
    for name, (form, _, folder) in folders.items():
        ours = {
            image.rpartition(".")[0]: _shapes(layers.get(GROUND_TRUTH, ()), name)
            for image, (_, layers) in read(folder, form).items()
        }
        assert {stem: [*map(_near, shapes)] for stem, shapes in ours.items()} == {
            item.rpartition("/")[2]: sorted(shapes, key=str) for item, shapes in found[name].items()
        }, name


def _shapes(rows: tuple[AnnotationRow, ...], name: str) -> list[list[Any]]:
    """Return annotations as Datumaro has them: single shapes."""
    shapes: list[list[Any]] = []
    wider = WIDER.get(name, 0.0)
    for row in rows:
        shapes += [[row.class_name, "polygon", [*polygon]] for polygon in row.polygons]
        if row.box is not None:
            x, y, width, height = row.box
            if name not in IMPLIED or not (row.polygons or row.mask):
                shapes.append([row.class_name, "bbox", [x, y, width - wider, height - wider]])
            if row.mask is not None:
                shapes.append([row.class_name, "mask", [int(pixels_of(row.mask).sum()), *row.box]])
    return sorted(shapes, key=str)


def _near(shape: list[Any]) -> list[Any]:
    return [*shape[:2], pytest.approx(shape[2], abs=NEAR)]
