"""Values out of foreign JSON, or what is wrong with them and in which field."""

import math
from typing import Any, Final

from storage.datasets.rows import MaskRow
from workers.formats.rle import mask_row

POLYGON_AT_LEAST: Final = 6
SHOWN: Final = 50


class Wrong(Exception):
    """One thing that is wrong, and where: a path of JSON, an element, or nothing for the whole."""

    def __init__(self, detail: str, where: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.where = where


def a_number(value: Any, where: str) -> float:  # noqa: ANN401 - foreign JSON
    """Return a finite number."""
    try:
        number = float(value) if type(value) in {int, float} else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Wrong(f"is not a number that can be used: {str(value)[:SHOWN]}", where)
    return number


def numbers(value: Any, where: str, *, count: int | None = None) -> tuple[float, ...]:  # noqa: ANN401 - foreign JSON
    """Return a list of finite numbers; of so many, if that is said."""
    if type(value) is not list:
        raise Wrong("is not a list of numbers", where)
    found = tuple(a_number(number, f"{where}[{position}]") for position, number in enumerate(value))
    if count is not None and len(found) != count:
        raise Wrong(f"has {len(found)} numbers, not {count}", where)
    return found


def box_of(value: Any, where: str) -> tuple[float, float, float, float]:  # noqa: ANN401 - foreign JSON
    """Return x, y, width and height."""
    x, y, width, height = numbers(value, where, count=4)
    if width < 0 or height < 0:
        raise Wrong(f"has a negative size: {width:g} x {height:g}", where)
    return x, y, width, height


def polygon_of(points: tuple[float, ...], where: str) -> tuple[float, ...]:
    """Return the points of a polygon."""
    if len(points) < POLYGON_AT_LEAST or len(points) % 2:
        raise Wrong(f"has {len(points)} numbers; a polygon needs x, y for at least 3 points", where)
    return points


def mask_of_runs(value: Any, where: str) -> MaskRow:  # noqa: ANN401 - foreign JSON
    """Return the mask of an object with ``size`` (height, width) and ``counts``, compressed or not."""
    try:
        height, width = value["size"]
        return mask_row(value["counts"], height=int(height), width=int(width))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        detail = str(error) if type(error) is ValueError else "it has no size of two numbers with counts"
        raise Wrong(f"is no mask: {detail}", where) from None


def an_object(value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401 - foreign JSON
    """Return an object; an empty one for nothing."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Wrong("is not an object", where)
    return value


def a_list(value: Any, where: str) -> list[Any]:  # noqa: ANN401 - foreign JSON
    """Return a list; an empty one for nothing."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Wrong("is not a list", where)
    return value
