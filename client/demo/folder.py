"""Pictures of one's own: a VOC folder, dealt out to training, validation and pool."""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from defusedxml import ElementTree

from client.demo.loop import Pictures
from schemas.annotations import clean_class_name
from schemas.errors import Invalid

IMAGES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
AT_LEAST: Final = 30
PORTIONS: Final = (("training", 0.08, 60), ("validation", 0.20, 150), ("pool", 0.72, 600))


def pictures_of(data: Path, into: Path, *, seed: int) -> Pictures:
    """Deal the labeled images of a VOC folder out, by a seeded shuffle: 8, 20 and 72 %, at most 60, 150 and 600.

    Raises Invalid where there are fewer than 30 images with an annotation file.
    """
    pairs = _pairs(data)
    if len(pairs) < AT_LEAST:
        message = f"{data} has {len(pairs)} images with a VOC file of the same name; the demo needs {AT_LEAST}."
        raise Invalid(message, step="Give a folder with images and, beside them or in a folder, one XML file for each.")
    random.Random(seed).shuffle(pairs)  # noqa: S311 - repeatable, no secret
    folders, start = {}, 0
    for name, share, most in PORTIONS:
        count = min(most, max(1, round(share * len(pairs))))
        folders[name] = _copied(pairs[start : start + count], into / name)
        start += count
    return Pictures(folders["training"], folders["validation"], folders["pool"], _classes(pairs))


def _pairs(data: Path) -> list[tuple[Path, Path]]:
    labels = {path.stem: path for path in sorted(data.rglob("*.xml"))}
    images = (path for path in sorted(data.rglob("*")) if path.suffix.lower() in IMAGES)
    return [(path, labels[path.stem]) for path in images if path.stem in labels]


def _copied(pairs: Sequence[tuple[Path, Path]], folder: Path) -> Path:
    for name, position in (("images", 0), ("annotations", 1)):
        (folder / name).mkdir(parents=True)
        for pair in pairs:
            shutil.copy(pair[position], folder / name / pair[position].name)
    return folder


def _classes(pairs: Sequence[tuple[Path, Path]]) -> tuple[str, ...]:
    roots = (ElementTree.fromstring(label.read_bytes()) for _, label in pairs)
    return tuple(
        sorted({clean_class_name(found.findtext("name") or "") for root in roots for found in root.iter("object")})
    )
