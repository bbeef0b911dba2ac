"""The query of assets, held to a model of dictionaries, however the content is cut."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas.annotations import ATTRIBUTES, GROUND_TRUTH
from schemas.splits import Split
from storage.datasets.asset_ids import asset_ids_of
from storage.datasets.listing import AssetQuery, asset_page
from storage.datasets.matching import AnyValue
from storage.datasets.rows import AnnotationRow
from tests.storage.datasets.worlds import ASSETS, CLASSES, PREDICTED, Known, Parcel, Shelf, few_examples, parcels

LAYERS = (GROUND_TRUTH, PREDICTED, ATTRIBUTES)
alternatives = st.sampled_from([{"a": 1}, {"a": True}, {"a": AnyValue.ANY}, {"b": 1}])
queries = st.builds(
    AssetQuery,
    layers=st.sampled_from([(), (GROUND_TRUTH,), (PREDICTED, GROUND_TRUTH)]),
    classes=st.lists(st.sampled_from(CLASSES), max_size=2).map(tuple),
    splits=st.lists(st.sampled_from(Split), max_size=2).map(tuple),
    name=st.sampled_from(["", "00.PNG", "7f"]),
    attributes=st.lists(alternatives, max_size=2).map(tuple),
    assets=st.none() | st.sets(st.sampled_from(ASSETS)).map(lambda assets: asset_ids_of(list(assets))),
)


def has(row: AnnotationRow, attributes: Sequence[Mapping[str, Any]]) -> bool:
    known = orjson.loads(row.attributes or "{}")
    return any(
        key in known and (value is AnyValue.ANY or repr(known[key]) == repr(value))
        for one in attributes
        for key, value in one.items()
    )


def meant(asset: bytes, known: Known, query: AssetQuery, name: str) -> bool:
    layers = query.layers or tuple(known.layers)
    rows = [row for layer in layers for row in known.layers.get(layer, ())]
    good = [row for row in rows if not query.classes or row.class_name in query.classes]
    if query.classes and not good:
        return False
    if query.attributes:
        of_image = any(has(row, query.attributes) for row in known.layers.get(ATTRIBUTES, ()))
        if not of_image and not any(has(row, query.attributes) for row in good):
            return False
    return (
        (not query.splits or known.split in query.splits)
        and (query.assets is None or asset in {bytes(one) for one in query.assets.ids})
        and re.search(re.escape(query.name), name, re.IGNORECASE) is not None
    )


@few_examples
@given(parcels(layers=LAYERS), queries, st.integers(1, 4))
async def test_pages_have_every_asset_that_a_query_means_once(source: Parcel, query: AssetQuery, limit: int) -> None:
    shelf = Shelf()
    content = await shelf.content(source)

    pages = [await asset_page(content, query=query, limit=limit, cursor=None, library=shelf)]
    while pages[-1].next is not None:
        pages.append(await asset_page(content, query=query, limit=limit, cursor=pages[-1].next, library=shelf))

    found = [row.image.asset for page in pages for row in page.rows]
    expected = {
        asset for asset, known in source.plain.items() if meant(asset, known, query, f"{source.name}/{asset.hex()}.png")
    }
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert all(len(page.rows) <= limit for page in pages)
