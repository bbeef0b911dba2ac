"""What is kept together when assets are drawn or dealt out."""

from typing import NamedTuple

from schemas.algebra_parameters import Draws
from schemas.counts import counted
from storage.datasets.content import Content
from storage.datasets.hamming import Numbers
from storage.datasets.library import Library
from storage.datasets.near_duplicates import near_duplicate_groups


class Together(NamedTuple):
    """Labels of the images in order of (segment, row): equal ones belong together. None: each is on its own."""

    label: Numbers | None
    warnings: tuple[str, ...] = ()


async def together_of(content: Content, asked: Draws, *, library: Library) -> Together:
    """Return what a drawing is asked to keep together."""
    if asked.keep_together is None:
        return Together(None)
    grouping = await near_duplicate_groups(content, distance=asked.distance, library=library)
    missing = grouping.without_hash
    told = (
        f"Without a hash, and so without near-duplicates, as they came in without files: {counted(missing, 'image')}."
    )
    return Together(grouping.label, (told,) if missing else ())
