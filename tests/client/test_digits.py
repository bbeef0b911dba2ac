"""What the demo's generated pictures promise."""

import xml.etree.ElementTree as ET
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from client.demo.digits import CLASSES, DigitSet, build

SIZES = {"training": 30, "validation": 20, "pool": 40}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> DigitSet:
    return build(tmp_path_factory.mktemp("digits"), seed=3, **SIZES)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def boxes(folder: Path) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    """Return class and inclusive corners of each object, by the stem of its file."""
    trees = {path.stem: ET.parse(path) for path in sorted((folder / "annotations").glob("*.xml"))}  # noqa: S314
    return {stem: [_box(item) for item in tree.iter("object")] for stem, tree in trees.items()}


def _box(item: ET.Element) -> tuple[str, tuple[int, ...]]:
    corners = [item.findtext(f"bndbox/{name}", "") for name in ("xmin", "ymin", "xmax", "ymax")]
    return item.findtext("name", ""), tuple(int(corner) for corner in corners)


def test_the_same_seed_gives_the_same_bytes(made: DigitSet, tmp_path: Path) -> None:
    again = build(tmp_path, seed=3, **SIZES)

    for one, other in zip(
        (made.training, made.validation, made.pool), (again.training, again.validation, again.pool), strict=True
    ):
        assert files(one) == files(other)


def test_another_seed_gives_other_pictures(made: DigitSet, tmp_path: Path) -> None:
    other = build(tmp_path, seed=4, training=2, validation=2, pool=2)

    assert set(files(other.training / "images").values()).isdisjoint(files(made.training / "images").values())


@pytest.mark.parametrize("split", SIZES)
def test_every_image_has_its_annotations_and_differs_from_all_others(made: DigitSet, split: str) -> None:
    folder: Path = getattr(made, split)

    images = files(folder / "images")

    assert len(set(images.values())) == len(images) == SIZES[split]
    assert {Path(name).stem for name in images} == set(boxes(folder))


@pytest.mark.parametrize("split", SIZES)
def test_boxes_lie_apart_and_inside_their_image(made: DigitSet, split: str) -> None:
    for stem, found in boxes(getattr(made, split)).items():
        with Image.open(getattr(made, split) / "images" / f"{stem}.jpg") as image:
            covered = np.zeros((image.height, image.width), int)
        for name, (x0, y0, x1, y1) in found:
            covered[y0 : y1 + 1, x0 : x1 + 1] += 1
            assert name in CLASSES
            assert 0 <= x0 < x1 < covered.shape[1]
            assert 0 <= y0 < y1 < covered.shape[0]
        assert covered.max() <= 1


def test_training_has_every_rare_class_twice(made: DigitSet) -> None:
    counts = Counter(name for found in boxes(made.training).values() for name, _ in found)

    assert len(made.rare) == 5
    assert all(counts[name] >= 2 for name in made.rare)


def test_names_of_files_do_not_sort_by_content(made: DigitSet) -> None:
    empty = [not found for found in boxes(made.pool).values()]

    changes = sum(one != other for one, other in pairwise(empty))

    assert changes > len(empty) // 5
