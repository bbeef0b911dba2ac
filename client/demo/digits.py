"""The demo's data: VOC folders of digits on photographs, with rare classes, empty images and near-duplicate bursts.

Boxes are written as YMIR writes them: xmin = x, ymin = y, xmax = x + width - 1, ymax = y + height - 1, counted from 0.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from client.demo.scenes import SIDE, Box, Floats, Scene, drawn_crop, near_duplicate, placed, render

CLASSES: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RARE_COUNT = 5
RARE_SHARE, COMMON_SHARE, EMPTY_SHARE = 0.02, 0.18, 0.45
BURST, BURST_SHARE, BURST_EMPTY_SHARE = 10, 0.25, 0.2
LEFT_OF_PHOTOGRAPH = 0.65  # the rest is kept for validation
DIGITS_FOR_TRAINING = 1000  # of 1797


@dataclass(frozen=True)
class DigitSet:
    """Three VOC folders, each with images/ and annotations/, and which classes are rare in training and pool."""

    training: Path
    validation: Path
    pool: Path
    rare: tuple[str, ...]
    classes: tuple[str, ...] = CLASSES


@dataclass(frozen=True)
class Source:
    """What one split may draw from; validation shares neither digits nor photograph areas with the others."""

    photographs: list[Floats]
    glyphs: dict[str, list[Floats]]

    def scene(self, names: list[str], *, rng: np.random.Generator) -> Scene:
        """Return a random scene with a digit for each name."""
        glyphs = [(name, self.glyphs[name][rng.integers(len(self.glyphs[name]))]) for name in names]
        return Scene(drawn_crop(self.photographs, rng=rng), placed(glyphs, rng=rng))


def build(folder: Path, *, seed: int, training: int = 60, validation: int = 150, pool: int = 600) -> DigitSet:
    """Write training, validation and pool below a folder and say where; same seed and sizes, same bytes.

    The pool's annotations are what its annotator knows: five classes are rare, 45 % of the images
    are empty, a quarter comes in bursts of ten near-duplicates. Validation has all classes equally often.
    """
    rng = np.random.default_rng(seed)
    left, right = _sources(rng)
    rare = tuple(CLASSES[index] for index in sorted(rng.choice(len(CLASSES), RARE_COUNT, replace=False)))
    shares = np.array([RARE_SHARE if name in rare else COMMON_SHARE for name in CLASSES])
    uniform = np.full(len(CLASSES), 1 / len(CLASSES))

    names = _topped_up(_contents(training, EMPTY_SHARE, shares, rng), rare=rare)
    pooled = _pool_scenes(pool, left, shares=shares, rng=rng)
    checked = _contents(validation, 0.15, uniform, rng)

    made = DigitSet(folder / "training", folder / "validation", folder / "pool", rare)
    _write(made.training, [left.scene(image, rng=rng) for image in names], left, rng=rng)
    _write(made.validation, [right.scene(image, rng=rng) for image in checked], right, rng=rng)
    _write(made.pool, pooled, left, rng=rng)
    return made


def _sources(rng: np.random.Generator) -> tuple[Source, Source]:
    photographs = [np.asarray(image, np.float32) for image in load_sample_images().images]
    cuts = [int(LEFT_OF_PHOTOGRAPH * image.shape[1]) for image in photographs]
    pixels, labels = load_digits(return_X_y=True)
    order = rng.permutation(len(labels))
    halves = [order[:DIGITS_FOR_TRAINING], order[DIGITS_FOR_TRAINING:]]
    glyphs = (pixels / 16).reshape(-1, 8, 8).astype(np.float32)
    seen, unseen = (
        {name: list(glyphs[half[labels[half] == digit]]) for digit, name in enumerate(CLASSES)} for half in halves
    )
    left = [image[:, :cut] for image, cut in zip(photographs, cuts, strict=True)]
    right = [image[:, cut:] for image, cut in zip(photographs, cuts, strict=True)]
    return Source(left, seen), Source(right, unseen)


def _contents(count: int, empty: float, shares: Floats, rng: np.random.Generator) -> list[list[str]]:
    """Return the class names on each of a number of images, 1 to 4 on those that are not empty, in random order."""
    sizes = rng.integers(1, 5, count)
    sizes[: round(empty * count)] = 0
    return [[CLASSES[index] for index in rng.choice(len(CLASSES), size, p=shares)] for size in rng.permutation(sizes)]


def _topped_up(images: list[list[str]], *, rare: tuple[str, ...]) -> list[list[str]]:
    """Return the images with at least two boxes of each rare class, each missing one instead of a common one."""
    drawn = [name for image in images for name in image]
    missing = [name for name in rare for _ in range(2 - drawn.count(name))]
    topped = [list(image) for image in images]
    common = [(row, place) for row, image in enumerate(images) for place, name in enumerate(image) if name not in rare]
    for name, (row, place) in zip(missing, common, strict=False):
        topped[row][place] = name
    return topped


def _pool_scenes(count: int, source: Source, *, shares: Floats, rng: np.random.Generator) -> list[Scene]:
    bursts = int(BURST_SHARE * count) // BURST
    firsts = [source.scene(names, rng=rng) for names in _contents(bursts, BURST_EMPTY_SHARE, shares, rng)]
    repeated = [
        near_duplicate(first, photographs=source.photographs, rng=rng) for first in firsts for _ in range(BURST)
    ]
    singles = _contents(count - len(repeated), EMPTY_SHARE, shares, rng)
    scenes = repeated + [source.scene(names, rng=rng) for names in singles]
    return [scenes[index] for index in rng.permutation(count)]


def _write(folder: Path, scenes: list[Scene], source: Source, *, rng: np.random.Generator) -> None:
    for name in ("images", "annotations"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, scene in enumerate(scenes):
        stem = f"{folder.name}-{number:04}"
        image = Image.fromarray(render(scene, photographs=source.photographs, rng=rng))
        # Near-lossless: chroma at full resolution keeps the edges of the ink where the boxes are.
        image.save(folder / "images" / f"{stem}.jpg", quality=95, subsampling=0)
        xml = ET.tostring(_voc(f"{stem}.jpg", [digit.box() for digit in scene.digits]), encoding="unicode")
        (folder / "annotations" / f"{stem}.xml").write_text(xml + "\n", encoding="utf-8")


def _voc(filename: str, boxes: list[Box]) -> ET.Element:
    root = ET.Element("annotation")
    ET.SubElement(root, "filename").text = filename
    _fill(ET.SubElement(root, "size"), {"width": SIDE, "height": SIDE, "depth": 3})
    for box in boxes:
        item = ET.SubElement(root, "object")
        _fill(item, {"name": box.name, "difficult": 0})
        _fill(ET.SubElement(item, "bndbox"), _corners(box))
    ET.indent(root)
    return root


def _corners(box: Box) -> dict[str, object]:
    return {"xmin": box.x, "ymin": box.y, "xmax": box.x + box.width - 1, "ymax": box.y + box.height - 1}


def _fill(parent: ET.Element, values: dict[str, object]) -> None:
    for tag, value in values.items():
        ET.SubElement(parent, tag).text = str(value)
