"""The values that an attribute of images or annotations has."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import JsonValue

from schemas.evaluations import Recall
from storage.datasets.library import Library
from storage.datasets.selections import Mask, Masks
from storage.datasets.space import Space
from workers.evaluation.matching import Bools, Ints

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
        numbers = space.asset[space.starts[segment] :][: len(masks[segment])]
        wanted = (masks[segment] & covered[numbers])[table.column("image").to_numpy()]
        told |= await asyncio.to_thread(_told, attribute, table.filter(pa.array(wanted)), numbers)
    names = most_frequent(Counter(told.values()))
    codes = {name: code for code, name in enumerate(names[:VALUES_AT_MOST])}
    of_asset = np.full(space.assets + 1, NO_VALUE, np.int64)
    for number, name in told.items():
        of_asset[number] = codes.get(name, NO_VALUE)
    without = int(np.count_nonzero(covered)) - len(told)
    return AttributeValues(tuple(codes), of_asset, len(names) - len(codes), without)


def recall_by_value(attribute: str, attributes: pa.Array, wanted: Bools, found: Bools) -> dict[str, Recall]:
    """Return how many of the wanted annotations were found, for each value that an attribute of them has."""
    texts = attributes.dictionary_encode()
    count = len(texts.dictionary)
    of_text = texts.indices.to_numpy()
    all_of, found_of = (np.bincount(of_text[some], minlength=count).tolist() for some in (wanted, wanted & found))
    recalls: dict[str, Recall] = {}
    for text, truths, hits in zip(texts.dictionary.to_pylist(), all_of, found_of, strict=True):
        value = _value(attribute, text)
        if value is not None and truths:
            recalls[value] = added(recalls.get(value, Recall()), Recall(ground_truths=truths, found=hits))
    return recalls


def added(one: Recall, other: Recall) -> Recall:
    """Return the sum of two counts."""
    return Recall(ground_truths=one.ground_truths + other.ground_truths, found=one.found + other.found)


def most_frequent(counted: Mapping[str, int]) -> list[str]:
    """Return the values by how frequent they are, those of equal frequency by name."""
    return sorted(sorted(counted), key=counted.__getitem__, reverse=True)


def _told(attribute: str, table: pa.Table, numbers: NDArray[np.int32]) -> dict[int, str]:
    rows = zip(table.column("image").to_pylist(), table.column("attributes").to_pylist(), strict=True)
    found = ((row, _value(attribute, text)) for row, text in rows)
    return {int(numbers[row]): value for row, value in found if value is not None}


def _value(attribute: str, text: str) -> str | None:
    value = orjson.loads(text).get(attribute) if text else None
    return None if value is None else _text(value)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
