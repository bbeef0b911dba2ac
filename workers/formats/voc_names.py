"""Names and measures of Pascal VOC that each way of reading it shares."""

from functools import lru_cache
from typing import Final

from schemas.annotations import clean_class_name

CLASS_LETTERS_AT_MOST: Final = 200
# Kept as attributes under their own names, and written back where they came from.
FLAGS: Final = {"pose": "unknown", "truncated": "unknown", "occluded": "0", "difficult": "0"}
ABSENT: Final = -1.0
DECIMALS: Final = 9
# Says where the file came from, or repeats what the image itself tells.
HEADER: Final = frozenset({"folder", "filename", "path", "source", "owner", "size", "segmented"})


@lru_cache(maxsize=100_000)
def class_name(text: str) -> str:
    """Return a class name as it is kept; raise ValueError where it is none."""
    if len(text) > CLASS_LETTERS_AT_MOST:
        message = f"a class name has at most {CLASS_LETTERS_AT_MOST} letters"
        raise ValueError(message)
    return clean_class_name(text)


def is_class_name(value: object) -> bool:
    """Return whether a value is a class name as it is kept."""
    try:
        return isinstance(value, str) and class_name(value) == value
    except ValueError:
        return False


def box_of(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    """Return the box whose corners, pixels that belong to it, are given."""
    # Rounded where binary fractions end: 10.1 + 5.3 - 1 and back is 5.3 again.
    return left, top, round(right - left + 1, DECIMALS), round(bottom - top + 1, DECIMALS)
