"""A base and what two sides made of it, as parcels; and what a content says, annotation ids and all."""

import random
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st

from schemas.annotations import ATTRIBUTES, GROUND_TRUTH
from schemas.splits import Split
from storage.datasets.content import Content
from storage.datasets.listing import asset_rows
from storage.datasets.rows import AnnotationRow
from tests.storage.datasets.worlds import ASSETS, CLASSES, Known, Parcel, Plain, Shelf, few_examples

Rows = tuple[AnnotationRow, ...]
LAYERS: Final = (GROUND_TRUTH, ATTRIBUTES)
# Each example has three contents, and most of their assets differ.
fewer_examples: Final = settings(few_examples, max_examples=12)


@st.composite
def lines(draw: st.DrawFn) -> tuple[Parcel, Parcel, Parcel]:
    """Return a base and what two sides made of it, each cut into segments in its own way."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    base = {asset: a_known(chance) for asset in ASSETS if chance.random() < 0.8}
    return tuple(a_parcel(chance, plain) for plain in (base, edited(chance, base), edited(chance, base)))  # type: ignore[return-value]


def a_parcel(chance: random.Random, plain: Plain) -> Parcel:
    # Sometimes cut alike, so that rows of several contents are in the same place.
    cut = {asset: ASSETS.index(asset) % 2 if chance.random() < 0.8 else 2 for asset in plain}
    return Parcel(plain, cut, chance.random() < 0.3, "p")


def a_known(chance: random.Random) -> Known:
    layers = {name: some_rows(chance, name) for name in LAYERS if chance.random() < 0.7}
    return Known(chance.choice(tuple(Split)), layers)


def some_rows(chance: random.Random, layer: str) -> Rows:
    if layer == ATTRIBUTES:
        return (AnnotationRow(attributes=chance.choice(('{"a":1}', '{"a":2,"b":1}', '{"b":2}'))),)
    return tuple(a_row(chance, number) for number in range(chance.randrange(3)))


def a_row(chance: random.Random, number: int) -> AnnotationRow:
    box = (float(chance.choice((0, 3, 30))), 0.0, 10.0, 10.0)
    return AnnotationRow(chance.choice(CLASSES), box, id=bytes([number]) * 16)


def edited(chance: random.Random, base: Plain) -> Plain:
    side: Plain = {}
    for asset in ASSETS:
        if asset not in base:
            if chance.random() < 0.5:
                side[asset] = a_known(chance)
            continue
        match chance.randrange(4):
            case 0:
                layers = {name: some_rows(chance, name) for name in base[asset].layers if chance.random() < 0.9}
                side[asset] = Known(base[asset].split, layers)
            case 1:
                side[asset] = a_known(chance)
            case 2 if chance.random() < 0.4:
                pass
            case _:
                side[asset] = base[asset]
    return side


async def said(shelf: Shelf, content: Content) -> Plain:
    """Return what a content says, annotation ids and all."""
    rows = asset_rows(content, layers=None, splits=None, library=shelf)
    return {row.image.asset: Known(row.split, row.layers) async for row in rows}
