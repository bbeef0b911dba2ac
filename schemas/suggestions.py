"""Suggestions: what a version has too little of to train a good model on."""

from enum import StrEnum

from pydantic import NonNegativeInt

from schemas.annotations import LayerName
from schemas.schema import Schema


class Lack(StrEnum):
    """What there is too little of."""

    OBJECTS = "objects"
    """A class has fewer than 500 objects."""
    BALANCE = "balance"
    """A class has less than a tenth of the objects of the largest one."""
    DENSITY = "density"
    """Images with 1 to 3, 4 to 10 or more objects are less than a tenth of the most frequent of these three kinds."""


class Suggestion(Schema):
    """One thing to get more of."""

    lack: Lack
    subject: str
    """The class; for ``density`` how many objects are on an image: ``1-3``, ``4-10`` or ``>10``."""
    count: NonNegativeInt
    """How many objects, or images, there are."""
    target: NonNegativeInt
    """How many there should be at least."""


class Suggestions(Schema):
    """What one layer of a version has too little of; of each kind the least first."""

    layer: LayerName
    suggestions: tuple[Suggestion, ...] = ()
