"""Values of the attributes of CVAT's elements, or what is wrong with them."""

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from workers.formats.json_values import SHOWN, Wrong
from workers.formats.voc_names import class_name
from workers.formats.xml_tree import Node


def typed(text: str, input_type: str) -> JsonValue:
    """Return the value of an attribute: a number or truth where its input type says so and it is one, else text."""
    if input_type == "checkbox" and text.strip().lower() in {"true", "false"}:
        return text.strip().lower() == "true"
    if input_type != "number":
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(text) if text.strip().lstrip("-").isdecimal() else number


def size_of(node: Node) -> tuple[int, int] | None:
    """Return the stated width and height; None where they are no such numbers."""
    texts = [node.attributes.get(side, "") for side in ("width", "height")]
    if all(text.isdecimal() and int(text[:9]) > 0 for text in texts):
        return int(texts[0][:9]), int(texts[1][:9])
    return None


def label_of(node: Node) -> str:
    """Return the class that a shape is labeled as."""
    given = node.attributes.get("label", "")
    try:
        return class_name(given)
    except ValueError as error:
        raise Wrong(f"has a label that is no class name ({error}): {given[:SHOWN]!r}") from None


def number(node: Node, name: str) -> float:
    """Return a finite number; raise Wrong naming the attribute that is none."""
    given = node.attributes.get(name, "")
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Wrong(f"has no finite number as {name}: {given[:SHOWN]!r}")
    return value


def whole(node: Node, name: str) -> int:
    """Return a whole number of at most 32 bits."""
    value = number(node, name)
    if not value.is_integer() or abs(value) > 1 << 31:
        raise Wrong(f"has no whole number as {name}: {node.attributes[name][:SHOWN]!r}")
    return int(value)


def less(one: float, other: float) -> float:
    """Return a difference of two coordinates."""
    # Rounded where binary fractions end: 10.1 + 5.3 and back is 5.3 again.
    return round(one - other, 9)


def rotation_of(node: Node) -> float:
    """Return CVAT's degrees, 0 to 360, as radians around zero."""
    degrees = number(node, "rotation") if "rotation" in node.attributes else 0.0
    return math.radians(degrees - 360 if degrees > 180 else degrees)  # noqa: PLR2004 - half a turn


def points_of(node: Node) -> tuple[float, ...]:
    """Return the coordinates ``x,y;x,y;…`` of a shape."""
    points: list[float] = []
    for pair in node.attributes.get("points", "").split(";"):
        try:
            x, y = map(float, pair.split(","))
        except ValueError:
            raise Wrong(f"has a point that is not two numbers: {pair[:SHOWN]!r}") from None
        if not (math.isfinite(x) and math.isfinite(y)):
            raise Wrong(f"has a point that is not finite: {pair[:SHOWN]!r}")
        points += [x, y]
    return tuple(points)


def keypoints_of(node: Node) -> tuple[float, ...]:
    """Return the points of a shape, each with what of it can be seen."""
    points = points_of(node)
    if node.attributes.get("outside") == "1":
        return (0.0, 0.0, 0.0) * (len(points) // 2)
    seen = 1.0 if node.attributes.get("occluded") == "1" else 2.0
    return tuple(number for x, y in zip(points[::2], points[1::2], strict=True) for number in (x, y, seen))


def pixels_of_runs(text: str, count: int) -> NDArray[np.bool_]:
    """Return the pixels of CVAT's runs of 0 and 1 in turn, row by row."""
    try:
        runs = np.array([int(run) for run in text.split(",")], dtype=np.int64)
    except (ValueError, OverflowError):
        raise Wrong(f"has an rle that is not whole numbers: {text[:SHOWN]!r}") from None
    if (runs < 0).any() or int(runs.astype(np.float64).sum()) != count:
        raise Wrong(f"has an rle whose runs do not add up to {count} pixels")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)
