"""Changes between two contents in pages, held to a model of dictionaries."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.annotations import GROUND_TRUTH
from schemas.diffs import AssetDiff, ChangeKind
from schemas.errors import Invalid
from schemas.splits import Split
from storage.datasets import changes
from storage.datasets.asset_diffs import asset_diff
from storage.datasets.changes import ChangePage, ChangeQuery, asset_changes
from storage.datasets.content import Content
from storage.datasets.diff import diff
from storage.datasets.rows import AnnotationRow, to_annotation
from tests.storage.datasets.lines import LAYERS, fewer_examples, lines, said
from tests.storage.datasets.worlds import ASSETS, Known, Parcel, Plain, Shelf

EVERYTHING = ChangeQuery()
few = settings(fewer_examples, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "WINDOWS", (1, 2))


async def page(
    shelf: Shelf,
    before: Content,
    after: Content,
    *,
    query: ChangeQuery = EVERYTHING,
    limit: int = 100,
    cursor: str | None = None,
) -> ChangePage:
    ids = await shelf.ids(before, after)
    return await asset_changes(before, after, query=query, limit=limit, cursor=cursor, ids=ids, library=shelf)


async def pages(shelf: Shelf, before: Content, after: Content, query: ChangeQuery, *, limit: int) -> list[AssetDiff]:
    found: list[AssetDiff] = []
    cursor: str | None = None
    while True:
        one = await page(shelf, before, after, query=query, limit=limit, cursor=cursor)
        assert len(one.diffs) <= limit
        found += one.diffs
        if (cursor := one.next) is None:
            return found


def model(before: Plain, after: Plain, layers: tuple[str, ...], kinds: frozenset[ChangeKind]) -> Iterator[AssetDiff]:
    for asset in sorted({*before, *after}):
        old, new = before.get(asset), after.get(asset)
        expected = asset_diff(
            asset,
            before=old and old.split,
            after=new and new.split,
            layers={name: (old and old.layers.get(name), new and new.layers.get(name)) for name in layers},
        )
        if kinds & set(expected.changes):
            yield expected


@pytest.mark.usefixtures("small_windows")
@few
@given(
    lines(),
    st.sampled_from([(), (GROUND_TRUTH,)]),
    st.lists(st.sampled_from(ChangeKind), max_size=2).map(tuple),
    st.integers(1, 4),
)
async def test_pages_together_have_every_asset_that_differs_as_is_meant(
    parcels: tuple[Parcel, Parcel, Parcel], layers: tuple[str, ...], kinds: tuple[ChangeKind, ...], limit: int
) -> None:
    shelf = Shelf()
    before, after = [await shelf.content(parcel) for parcel in parcels[1:]]
    query = ChangeQuery(layers, kinds)

    found = await pages(shelf, before, after, query, limit=limit)

    plain = [await said(shelf, content) for content in (before, after)]
    assert found == list(model(plain[0], plain[1], layers or LAYERS, query.wanted()))


@few
@given(lines())
async def test_the_pages_have_as_many_assets_as_the_diff_counts(parcels: tuple[Parcel, Parcel, Parcel]) -> None:
    shelf = Shelf()
    before, after = [await shelf.content(parcel) for parcel in parcels[:2]]

    whole = await diff(before, after, ids=await shelf.ids(before, after), library=shelf)

    for kind in (ChangeKind.ADDED, ChangeKind.REMOVED, ChangeKind.MOVED):
        found = await page(shelf, before, after, query=ChangeQuery(kinds=(kind,)))
        assert len(found.diffs) == getattr(whole, kind).count
    for name, layer in whole.layers.items():
        for kind in (ChangeKind.ANNOTATED, ChangeKind.UNANNOTATED, ChangeKind.CHANGED):
            found = await page(shelf, before, after, query=ChangeQuery((name,), (kind,)))
            assert len(found.diffs) == getattr(layer, kind).count


CAT = AnnotationRow("cat", (0.0, 0.0, 10.0, 10.0), id=b"c" * 16)
DOG = AnnotationRow("dog", (50.0, 0.0, 10.0, 10.0), id=b"d" * 16)


async def test_an_annotation_that_changed_is_told_before_and_after_with_what_did() -> None:
    shelf = Shelf()
    before, after = [await of(shelf, rows, name) for rows, name in (((CAT, DOG), "p"), ((moved(CAT),), "q"))]

    [told] = (await page(shelf, before, after)).diffs

    assert told.changes == (ChangeKind.CHANGED,)
    layer = told.layers[GROUND_TRUTH]
    assert (layer.added, layer.removed) == ((), (to_annotation(DOG),))
    [changed] = layer.changed
    assert changed.fields == ("class", "box")
    assert (changed.before, changed.after) == (to_annotation(CAT), to_annotation(moved(CAT)))


def moved(row: AnnotationRow) -> AnnotationRow:
    return row._replace(class_name="lynx", box=(1.0, 0.0, 10.0, 10.0))


async def of(shelf: Shelf, rows: tuple[AnnotationRow, ...], name: str) -> Content:
    plain = {ASSETS[0]: Known(Split.NONE, {GROUND_TRUTH: rows})}
    return await shelf.content(Parcel(plain, {ASSETS[0]: 0}, apart=True, name=name))


@pytest.mark.parametrize("cursor", ["x", "00", "0" * 63, "0" * 66])
async def test_a_cursor_is_an_asset(cursor: str) -> None:
    shelf = Shelf()
    content = await of(shelf, (CAT,), "p")

    with pytest.raises(Invalid):
        await page(shelf, content, content, cursor=cursor)
