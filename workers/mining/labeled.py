"""What is labeled already: the versions that a task names as labeled, and those that its model was trained on."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.annotations import GROUND_TRUTH
from schemas.errors import NotFound
from schemas.models import Model
from schemas.splits import Split
from storage.datasets.class_counts import class_counts
from storage.datasets.content import Content
from storage.datasets.exclude import excluded
from storage.datasets.library import Library
from storage.datasets.near_duplicates import Hashes, hashes_of
from storage.datasets.selections import union
from workers.executors.candidates import assets_of


@dataclass(frozen=True)
class Known:
    """The labeled images, each once, in order of (segment, row)."""

    content: Content
    assets: Sequence[bytes]
    hashes: Hashes
    counts: Counter[str] = field(default_factory=Counter)
    """How many boxes of each class there are in the ground truth."""


async def known(labeled: Sequence[Content], model: Model | None, *, library: Library) -> Known:
    """Return what is labeled; a version that a model was trained on, and that is gone by now, is passed over."""
    parts: list[Content] = []
    for content in [*await _trained_on(model, library=library), *labeled]:
        plain = _plain(content)
        ids = await library.asset_ids(plain, *parts)
        parts.append(await asyncio.to_thread(excluded, plain, parts, ids=ids))
    counts: Counter[str] = Counter()
    for part in parts:
        counts += await class_counts(part, library=library)
    content = Content({Split.NONE: union(*(part.image_masks() for part in parts))})
    assets = await asyncio.to_thread(assets_of, content, ids=await library.asset_ids(content))
    return Known(content, assets, await hashes_of(content, library=library), counts)


async def _trained_on(model: Model | None, *, library: Library) -> list[Content]:
    contents = []
    for digest in () if model is None else model.training:
        try:
            contents.append(await library.content(digest))
        except NotFound:
            continue
    return contents


def _plain(content: Content) -> Content:
    layers = {name: layer for name, layer in content.layers.items() if name == GROUND_TRUTH}
    return Content({Split.NONE: content.image_masks()}, layers)
