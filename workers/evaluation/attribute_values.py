"""The values that an attribute of images has, asset by asset."""

from collections import Counter
from typing import Final, NamedTuple

import numpy as np
import orjson
from pydantic import JsonValue

from storage.datasets.library import Library
from storage.datasets.selections import Mask, Masks
from storage.datasets.space import Space
from workers.evaluation.matching import Ints

VALUES_AT_MOST: Final = 100
NO_VALUE: Final = -1


class AttributeValues(NamedTuple):
    """The most frequent values of an attribute, and which of them each asset has."""

    names: tuple[str, ...]
    of_asset: Ints
    """By the number of the asset: the position among the names, or -1."""
    left_out: int
    """Further values that are on fewer assets."""
    without: int
    """Covered assets that do not have the attribute."""


async def attribute_values(
    attribute: str, masks: Masks, covered: Mask, *, space: Space, library: Library
) -> AttributeValues:
    """Return the values of an attribute in a layer of attributes, for the covered assets (an asset mask)."""
    told: dict[int, str] = {}
    for segment, reader in (await library.segments(masks)).items():
        table = await reader.annotations(["image", "attributes"])
        numbers = space.asset[space.starts[segment] :]
        mask = masks[segment]
        images = table.column("image").to_pylist()
        for row, text in zip(images, table.column("attributes").to_pylist(), strict=True):
            if text and mask[row] and covered[numbers[row]]:
                value = orjson.loads(text).get(attribute)
                if value is not None:
                    told[int(numbers[row])] = _text(value)
    counted = Counter(told.values())
    names = sorted(sorted(counted), key=counted.__getitem__, reverse=True)
    codes = {name: code for code, name in enumerate(names[:VALUES_AT_MOST])}
    of_asset = np.full(space.assets + 1, NO_VALUE, np.int64)
    for number, name in told.items():
        of_asset[number] = codes.get(name, NO_VALUE)
    without = int(np.count_nonzero(covered)) - len(told)
    return AttributeValues(tuple(codes), of_asset, len(names) - len(codes), without)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
