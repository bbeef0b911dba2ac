"""Near-duplicates: which images count as such, and what a task does when it finds them in two splits."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from schemas.schema import Schema

DISTANCE: Final = 10
DISTANCE_AT_MOST: Final = 64

Distance = Annotated[int, Field(ge=0, le=DISTANCE_AT_MOST)]
"""In how many of their 256 bits the difference hashes of two near-duplicates may differ."""


class NearDuplicates(StrEnum):
    """What is done about near-duplicates in two of training, validation and test."""

    AUTO = "auto"
    """Report them where that takes next to no time: up to 20,000 images."""
    IGNORE = "ignore"
    REPORT = "report"
    STOP = "stop"


class GuardsSplits(Schema):
    """A task that can look for near-duplicates across splits."""

    near_duplicates: NearDuplicates = NearDuplicates.AUTO
    """What is done where near-duplicates would be in different splits."""
    distance: Distance = DISTANCE
    """Up to how many different bits of their hashes images are near-duplicates."""
