"""Pascal VOC as YMIR writes it: one XML file for an image."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import orjson
from pydantic import JsonValue

from storage.datasets.rows import AnnotationRow
from workers.formats.exporter import ExportedImage, attributes_of
from workers.formats.losses import Field, lost_fields
from workers.formats.voc_names import ABSENT, DECIMALS, FLAGS

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# What XML 1.0 has no way to say.
_UNSAYABLE: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_IN_PLACE: Final = frozenset({"cm", *FLAGS})
_KEPT: Final = frozenset[Field]({"rotation", "confidence", "quality", "attributes", "annotation ids"})
_NO_NUMBER: Final = f"{ABSENT:.4f}"
_QUALITY: Final = "image_quality"


def voc_xml(image: ExportedImage) -> bytes:
    """Return the VOC file of an image: its annotations that have a class and a box.

    Corners are pixels inside the box: xmax is x + width - 1, and a box thinner than a pixel becomes one pixel wide.
    What else cannot be said in this format is told by ``voc_losses``.
    """
    quality, attributes = _with_quality(image)
    head = (
        f"<annotation>\n  <folder>folder</folder>\n  <filename>{_text(image.name)}</filename>\n"
        "  <source>\n    <annotation>unknown</annotation>\n    <image>unknown</image>\n  </source>\n"
        f"  <size>\n    <width>{image.width}</width>\n    <height>{image.height}</height>\n"
        f"    <depth>{image.row.channels}</depth>\n  </size>\n  <segmented>0</segmented>\n"
    )
    parts = [
        head,
        *_values("cks", attributes, "  "),
        f"  <image_quality>{_text(quality)}</image_quality>\n",
    ]
    for row in image.annotations or ():
        if _fits(row):
            parts += _object(row)
    return "".join((*parts, "</annotation>\n")).encode()


def _fits(row: AnnotationRow) -> bool:
    return row.box is not None and row.class_name is not None


def voc_losses(row: AnnotationRow) -> Iterator[tuple[str, str]]:
    """Yield the kind and detail of what a VOC file cannot say of an annotation."""
    if row.class_name is None:
        yield "annotations without a class", "It has no class, and is left out."
        return
    if row.box is None:
        yield "annotations without a box", "It has no box, and is left out."
        return
    yield from lost_fields(row, keeps=_KEPT)
    if row.box[2] < 1 or row.box[3] < 1:
        yield "boxes thinner than a pixel", f"Its box of {row.box[2]} x {row.box[3]} becomes one pixel wide or high."
    for change in _changed(attributes_of(row)) if row.attributes else ():
        yield "types of attributes", f"Its {change}"


def voc_image_losses(image: ExportedImage) -> Iterator[tuple[str, str]]:
    """Yield the kind and detail of what a VOC file cannot say of an image as a whole."""
    _, attributes = _with_quality(image)
    for change in _changed(attributes):
        yield "types of attributes of images", f"Its {change}"


def _with_quality(image: ExportedImage) -> tuple[float, dict[str, JsonValue]]:
    """Return the quality of an image, which has a place of its own if it is a number, and its other attributes."""
    attributes = dict(image.attributes)
    quality = attributes.get(_QUALITY)
    if type(quality) is not float or quality == ABSENT:
        return ABSENT, attributes
    del attributes[_QUALITY]
    return quality, attributes


def _object(row: AnnotationRow) -> Iterator[str]:
    attributes = attributes_of(row)
    x, y, width, height = row.box or (0.0, 0.0, 0.0, 0.0)
    right, bottom = _far(x, width), _far(y, height)
    flags: dict[str, JsonValue] = dict(FLAGS)
    if attributes:
        flags = {name: attributes.pop(name, default) for name, default in FLAGS.items()}
    mark = attributes.pop("cm", "")
    yield (
        f"  <object>\n    <name>{_text(row.class_name or '')}</name>\n    <pose>{_text(flags['pose'])}</pose>\n"
        f"    <truncated>{_text(flags['truncated'])}</truncated>\n    <occluded>{_text(flags['occluded'])}</occluded>\n"
        f"    <bndbox>\n      <xmin>{_number(x)}</xmin>\n      <ymin>{_number(y)}</ymin>\n"
        f"      <xmax>{_number(right)}</xmax>\n      <ymax>{_number(bottom)}</ymax>\n"
        f"      <rotate_angle>{_number(row.rotation)}</rotate_angle>\n    </bndbox>\n"
        f"    <difficult>{_text(flags['difficult'])}</difficult>\n"
    )
    if attributes:
        yield from _values("tags", attributes, "    ")
    yield f"    <box_quality>{_optional(row.quality)}</box_quality>\n"
    if mark:
        yield f"    <cm>{_text(mark)}</cm>\n"
    if row.id is not None:
        yield f"    <annotation_id>{row.id.hex()}</annotation_id>\n"
    yield f"    <confidence>{_optional(row.confidence)}</confidence>\n  </object>\n"


def _values(name: str, values: Mapping[str, JsonValue], indent: str) -> Iterator[str]:
    """Yield values under their keys; those whose key is no name in XML as CVAT writes them."""
    if not values:
        return
    named = {key: value for key, value in values.items() if _NAME.fullmatch(key)}
    if named:
        inside = "".join(f"{indent}  <{key}>{_text(value)}</{key}>\n" for key, value in named.items())
        yield f"{indent}<{name}>\n{inside}{indent}</{name}>\n"
    others = values.keys() - named.keys()
    if others:
        pairs = (f"<name>{_text(key)}</name><value>{_text(values[key])}</value>" for key in sorted(others))
        inside = "".join(f"{indent}  <attribute>{pair}</attribute>\n" for pair in pairs)
        yield f"{indent}<attributes>\n{inside}{indent}</attributes>\n"


def _changed(attributes: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield what is to be said of each attribute that is not read again as it is written."""
    for key, value in attributes.items():
        again = _again(key, value)
        if type(again) is not type(value) or again != value or key != _unsaid(key).strip():
            yield f"attribute {key} is {_json(value)[:100]}, which comes back as {_json(again)[:100]}."


def _again(key: str, value: JsonValue) -> JsonValue:
    # XML has one end of line.
    text = _unsaid(_plain(value)).replace("\r\n", "\n").replace("\r", "\n").strip()
    if key not in _IN_PLACE:
        return text
    if not text or text == FLAGS.get(key):
        return None
    return int(text) if text in {"0", "1"} else text


def _json(value: JsonValue) -> str:
    return orjson.dumps(value).decode()


def _text(value: JsonValue) -> str:
    return _escaped(value if type(value) is str else _plain(value))


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else _json(value)


def _unsaid(text: str) -> str:
    return _UNSAYABLE.sub("", text)


@lru_cache(maxsize=10_000)
def _escaped(text: str) -> str:
    return _unsaid(text).translate(_ESCAPED)


def _far(low: float, side: float) -> float:
    # Rounded where binary fractions end, as reading does.
    return max(low, round(low + (max(1.0, side)) - 1, DECIMALS))


def _number(value: float) -> str:
    return repr(value) if value % 1 else str(int(value))


def _optional(value: float | None) -> str:
    return _NO_NUMBER if value is None else repr(value)
