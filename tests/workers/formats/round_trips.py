"""Versions made by hypothesis, written in a format and read again as imports read, without pictures."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from hypothesis import strategies as st

from schemas.annotations import ATTRIBUTES, GROUND_TRUTH, LayerName
from schemas.exchange_parameters import UnknownClasses
from schemas.manifests import Predictions
from schemas.reports import Finding
from schemas.splits import Split
from storage.datasets.rows import AnnotationRow, AssetRow, ImageRow, attributes_text
from workers.findings import Findings
from workers.formats.exporter import Order, exported_image
from workers.formats.listing import list_files
from workers.formats.registry import FORMATS, detect, exporter_named, format_named
from workers.formats.rle import mask_of
from workers.images import Limits
from workers.importing.classes import ClassResolver
from workers.importing.inspecting import said_of
from workers.importing.job import Job

CLASSES: Final = ("dog", "big cat", "名 & <b>'\"")
NEAR: Final = 1e-3
NAMES: Final = ("a.jpg", "b c.jpg", "ü.png")

PREDICTED: Final = "m@best"
ORIGIN: Final = Predictions(
    model="sha256:" + "a" * 64, stage="best", configuration="sha256:" + "b" * 64, classes=("dog", "yeti")
)
ATTRIBUTES_OF_IMAGES: Final = (
    '{"weather":"rain"}',
    '{"image_quality":0.5,"weather":"<rain> & "}',
    '{"a key":"\u540d","n":3}',
    '{"image_quality":"good"}',
)

# What may differ after a round trip where a loss of that kind is told.
LOST_BY: Final[Mapping[str, frozenset[str]]] = {
    "annotation ids": frozenset({"id"}),
    "area": frozenset({"area"}),
    "attributes": frozenset({"attributes"}),
    "author": frozenset({"author"}),
    "boxes as polygons": frozenset({"polygons", "rotation", "box"}),
    "boxes beside polygons": frozenset({"box", "rotation"}),
    "boxes outside of the picture": frozenset({"box"}),
    "boxes thinner than a pixel": frozenset({"box"}),
    "confidence": frozenset({"confidence"}),
    "crowd": frozenset({"crowd"}),
    "key points that are not there": frozenset({"keypoints"}),
    "keypoints": frozenset({"keypoints"}),
    "mask": frozenset({"mask", "polygons", "box", "rotation"}),
    "masks of another size than the image": frozenset({"mask"}),
    "masks that LabelMe cannot hold": frozenset({"mask"}),
    "masks beside polygons": frozenset({"mask"}),
    "number of key points": frozenset({"keypoints"}),
    "polygons": frozenset({"polygons", "box"}),
    "quality": frozenset({"quality"}),
    "rotation": frozenset({"rotation", "box"}),
    "several polygons": frozenset({"polygons", "box", "rotation"}),
    "types of attributes": frozenset({"attributes"}),
}


class Came(NamedTuple):
    """What came of one image."""

    image: ImageRow
    split: Split
    annotations: tuple[AnnotationRow, ...] | None
    attributes: str
    layers: Mapping[LayerName, tuple[AnnotationRow, ...]]


class Again(NamedTuple):
    """What came back: what it was taken for, the assets by file name, and where predictions come from."""

    taken_for: str
    assets: Mapping[str, Came]
    predictions: Mapping[LayerName, Predictions]
    faults: Sequence[Any]
    not_kept: Sequence[str]


def numbers(least: float, most: float) -> st.SearchStrategy[float]:
    """Return numbers with two decimals."""
    return st.integers(round(least * 100), round(most * 100)).map(lambda number: number / 100)


@st.composite
def rows(draw: st.DrawFn, number: int, width: int, height: int) -> AnnotationRow:
    """Draw an annotation with its id, saying any of what can be said."""
    x, y = draw(numbers(-5, width)), draw(numbers(-5, height))
    box = (x, y, draw(numbers(0, width / 2)), draw(numbers(0, height / 2)))
    polygon = st.integers(3, 6).flatmap(
        lambda points: st.tuples(*(numbers(0, width if place % 2 == 0 else height) for place in range(2 * points)))
    )
    point = st.tuples(numbers(0.5, width), numbers(0.5, height), st.sampled_from((1.0, 2.0)))
    points = st.lists(st.one_of(point, st.just((0.0, 0.0, 0.0))), max_size=3).filter(
        lambda found: not found or any(visible for _, _, visible in found)
    )
    pixels = np.random.default_rng(draw(st.integers(0, 99))).random((height, width)) > draw(st.sampled_from((0.2, 0.9)))
    optional = st.one_of(st.none(), numbers(0, 1))
    values = st.one_of(st.booleans(), st.integers(-9, 9), st.sampled_from(("red", "", " a & <b> ", "名")))
    attributes = st.dictionaries(st.sampled_from(("colour", "difficult", "a key", "名")), values, max_size=2)
    has_box, has_polygons, has_mask = draw(
        st.sampled_from(((1, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1), (0, 0, 0)))
    )
    return AnnotationRow(
        class_name=draw(st.sampled_from((*CLASSES, *CLASSES, None))),
        box=box if has_box else None,
        rotation=draw(st.sampled_from((0.0, 0.0, 0.5, -2.5))) if has_box else 0.0,
        polygons=tuple(draw(st.lists(polygon, min_size=1, max_size=2))) if has_polygons else (),
        mask=mask_of(pixels) if has_mask else None,
        keypoints=tuple(value for found in draw(points) for value in found),
        crowd=draw(st.booleans()),
        # One that is the box's own says nothing.
        area=draw(st.one_of(st.none(), numbers(0, 50).map(lambda area: area + 0.001))),
        confidence=draw(optional),
        quality=draw(optional),
        attributes=attributes_text(draw(attributes)),
        author=draw(st.sampled_from(("", "", "someone", "名 <>"))),
        id=number.to_bytes(16, "big"),
    )


@st.composite
def versions(draw: st.DrawFn) -> list[AssetRow]:
    """Draw up to three images with all that a version may say of them."""
    found = []
    for place in range(draw(st.integers(1, len(NAMES)))):
        width, height = draw(st.integers(8, 40)), draw(st.integers(8, 40))
        image = ImageRow(bytes([place]) * 32, NAMES[place], width, height, draw(st.integers(1, 8)), 3)
        layers = {}
        if (count := draw(st.sampled_from((None, 0, 1, 2, 3)))) is not None:
            layers[GROUND_TRUTH] = tuple(draw(rows(10 * place + number + 1, width, height)) for number in range(count))
        if (count := draw(st.sampled_from((None, None, 0, 2)))) is not None:
            layers[PREDICTED] = tuple(draw(rows(10 * place + number + 6, width, height)) for number in range(count))
        said = draw(st.sampled_from(("", "", *ATTRIBUTES_OF_IMAGES)))
        if said:
            layers[ATTRIBUTES] = (AnnotationRow(attributes=said),)
        found.append(AssetRow(image, draw(st.sampled_from(Split)), layers))
    return found


def write(form: str, version: Sequence[AssetRow], folder: Path, scratch: Path) -> Findings:
    """Export a version into a folder, with empty files for its images, and return what is lost."""
    losses = Findings()
    beside = PREDICTED if FORMATS[form].with_predictions and any(PREDICTED in row.layers for row in version) else None
    order = Order(
        layer=GROUND_TRUTH,
        classes=CLASSES[:2],
        scratch=scratch,
        losses=losses,
        predictions=None if beside is None else (beside, ORIGIN),
    )
    writer = exporter_named(form)(order)
    members = []
    (folder / "images").mkdir(parents=True)
    for row in version:
        name = row.image.file_name
        (folder / "images" / name).touch()
        image = exported_image(row, layer=GROUND_TRUTH, name=name, displayed=writer.displayed, predictions=beside)
        members += [(member.name, b"".join(member.pieces)) for member in writer.add(image)]
    members += [(member.name, b"".join(member.pieces)) for member in writer.finish()]
    order.close()
    for name, content in members:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("xb") as file:
            file.write(content)
    return losses


def read(folder: Path, version: Sequence[AssetRow], *, form: str | None = None) -> Again:
    """Import a folder whose images are those of a version."""
    listing = list_files(folder)
    reader = detect(listing) if form is None else format_named(form)
    reading = reader.read(listing)
    job = Job(folder, (), Limits(), GROUND_TRUTH, parse=reading.parse, parse_part=reading.parse_part)
    images = {f"images/{row.image.file_name}": row.image for row in version}
    came, faults, findings = {}, [*reading.faults], [*reading.findings]
    for record in reading.records:
        image = images[record.image]
        found, layers = said_of(job, record, image, ClassResolver({}, policy=UnknownClasses.ADD))
        attributes = "".join(row.attributes for row in layers.get(ATTRIBUTES, ()))
        came[image.file_name] = Came(image, record.split or Split.NONE, layers.get(GROUND_TRUTH), attributes, layers)
        faults += found.faults
        findings += found.findings
    not_kept = [finding.detail for finding in findings if finding.kind == "not kept"]
    return Again(reading.taken_for or reader.name, came, reading.predictions, faults, not_kept)


def told_of(losses: Findings) -> dict[str, list[Finding]]:
    """Return what was told, by subject."""
    told = defaultdict(list)
    for finding in losses.report({}).findings:
        told[finding.subject].append(finding)
    return dict(told)


def differences(before: AnnotationRow, after: AnnotationRow) -> set[str]:
    """Return the names of what two annotations say differently."""
    return {name for name in AnnotationRow._fields if not _same(name, getattr(before, name), getattr(after, name))}


def _same(name: str, before: Any, after: Any) -> bool:  # noqa: ANN401 - any value of a row
    if name == "rotation":
        turn = (before - after) % (2 * math.pi)
        return bool(min(turn, 2 * math.pi - turn) < NEAR)
    if name == "attributes":
        return bool(orjson.loads(before or "{}") == orjson.loads(after or "{}"))
    if isinstance(before, float) and isinstance(after, float):
        return abs(before - after) < NEAR
    if isinstance(before, tuple) and isinstance(after, tuple) and not hasattr(before, "counts"):
        return len(before) == len(after) and all(_same("", one, two) for one, two in zip(before, after, strict=True))
    return bool(before == after)
