"""The library over the embedded adapters."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from schemas.algebra_parameters import Strategy
from schemas.annotations import GROUND_TRUTH
from schemas.errors import Invalid, NotFound
from schemas.manifests import Segment
from schemas.schema import Digest
from schemas.splits import Split
from storage.datasets.content import Content, LayerContent, whole_segment
from storage.datasets.library import Library
from storage.datasets.listing import AssetQuery
from storage.datasets.memory import Memory
from storage.datasets.merge import MergeSource, merged
from storage.datasets.rows import AnnotationRow, ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.selections import all_rows
from storage.ports import Blobs, Database

CAT, DOG = AnnotationRow("cat", (1.0, 2.0, 3.0, 4.0)), AnnotationRow("dog", (1.0, 2.0, 3.0, 4.0))


async def a_segment(library: Library, first: int, count: int, *rows: AnnotationRow) -> Digest:
    images = [ImageRow(bytes([number]) * 32, f"{number:03}.jpg") for number in range(first, first + count)]
    built = build_segment(images, [rows] * count, layer=GROUND_TRUTH, described=True)
    return await library.keep_segment(built)


async def test_a_content_comes_back_from_its_digest(library: Library, database: Database, blobs: Blobs) -> None:
    segment = await a_segment(library, 0, 3, CAT)
    content = whole_segment(segment, rows=3, layer=GROUND_TRUTH, split=Split.TRAINING)

    kept = await library.keep(content)

    back = await Library(database, blobs).content(kept.digest)
    assert (await library.keep(back)).digest == kept.digest == kept.manifest.digest
    assert kept.counts.splits == {Split.TRAINING: 3}
    assert kept.counts.layers[GROUND_TRUTH].annotations == 3
    assert [row async for row in library.rows(back)] == [row async for row in library.rows(content)]


async def test_a_segment_may_be_kept_twice(library: Library) -> None:
    one, other = await asyncio.gather(a_segment(library, 0, 3, CAT), a_segment(library, 0, 3, CAT))

    assert one == other


async def test_entries_that_select_nothing_are_dropped(library: Library) -> None:
    one, other = await a_segment(library, 0, 3, CAT), await a_segment(library, 3, 3, CAT)
    nothing = np.zeros(3, np.bool_)

    kept = await library.keep(
        Content(
            {Split.NONE: {one: all_rows(3), other: nothing}, Split.TEST: {one: nothing}},
            {GROUND_TRUTH: LayerContent({other: nothing})},
        )
    )

    assert kept.digest == (await library.keep(whole_segment(one, rows=3))).digest


async def test_an_asset_that_is_twice_is_refused(library: Library) -> None:
    one, other = await a_segment(library, 0, 3, CAT), await a_segment(library, 2, 3, CAT)
    both = {one: all_rows(3), other: all_rows(3)}

    with pytest.raises(Invalid, match=(bytes([2]) * 32).hex()):
        await library.keep(Content({Split.NONE: both}))
    with pytest.raises(Invalid, match="two splits"):
        await library.keep(Content({Split.NONE: {one: all_rows(3)}, Split.TEST: {one: all_rows(3)}}))
    with pytest.raises(Invalid, match=GROUND_TRUTH):
        await library.keep(
            Content({Split.NONE: {one: all_rows(3)}, Split.TEST: {}}, {GROUND_TRUTH: LayerContent(both)})
        )


async def test_an_asset_in_a_layer_alone_is_refused(library: Library) -> None:
    one, other = await a_segment(library, 0, 3, CAT), await a_segment(library, 3, 3, CAT)

    with pytest.raises(Invalid, match=(bytes([3]) * 32).hex()):
        await library.keep(whole_segment(one, rows=3).with_layer("other", LayerContent({other: all_rows(3)})))


async def test_a_merge_opens_no_file_of_annotations(library: Library, database: Database, blobs: Blobs) -> None:
    segments = [await a_segment(library, 0, 5, CAT), await a_segment(library, 3, 5, CAT)]
    contents = [whole_segment(segment, rows=5, layer=GROUND_TRUTH) for segment in segments]
    for document in await database.documents(Segment).get_many([one.removeprefix("sha256:") for one in segments]):
        await blobs.remove(document.annotations.digest)
    fresh = Library(database, blobs)

    result = merged(
        [MergeSource(content) for content in contents],
        strategy=Strategy.HOST,
        ids=await fresh.asset_ids(*contents),
    )
    kept = await fresh.keep(result.content)

    assert kept.counts.images == 8
    assert kept.counts.layers[GROUND_TRUTH].annotations == 8


async def test_pages_follow_one_another_and_show_each_asset_once(library: Library) -> None:
    segments = [
        await a_segment(library, 0, 5, CAT),
        await a_segment(library, 5, 5, DOG),
        await a_segment(library, 10, 4),
    ]
    content = Content(
        {Split.NONE: {segment: all_rows(rows) for segment, rows in zip(segments, (5, 5, 4), strict=True)}},
        {GROUND_TRUTH: LayerContent({segments[0]: all_rows(5), segments[1]: all_rows(5)})},
    )

    found, cursor = [], None
    while True:
        page = await library.page(content, limit=3, cursor=cursor)
        found += [*page.rows]
        cursor = page.next
        if cursor is None:
            break

    assert found == [row async for row in library.rows(content)]
    assert len(found) == 14


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (AssetQuery(classes=("dog",)), {"003.jpg", "004.jpg", "005.jpg"}),
        (AssetQuery(classes=("no such",)), set()),
        (AssetQuery(classes=("dog",), layers=("no layer",)), set()),
        (AssetQuery(name="00"), {f"00{number}.jpg" for number in range(6)}),
        (AssetQuery(name="05.J"), {"005.jpg"}),
        (AssetQuery(splits=(Split.TEST,)), {f"00{number}.jpg" for number in range(3)}),
        (AssetQuery(attributes=({"a": 1},)), set()),
    ],
)
async def test_a_query_means_the_assets_that_fit(library: Library, query: AssetQuery, names: set[str]) -> None:
    cats, dogs = await a_segment(library, 0, 3, CAT), await a_segment(library, 3, 3, DOG)
    both = {cats: all_rows(3), dogs: all_rows(3)}
    images = {Split.TEST: {cats: all_rows(3)}, Split.NONE: {dogs: all_rows(3)}}
    content = Content(images, {GROUND_TRUTH: LayerContent(both)})

    page = await library.page(content, query=query)

    assert {row.image.file_name for row in page.rows} == names
    assert page.next is None


@pytest.mark.parametrize(
    "cursor", ["", "x", "1", "1.", ".1", "-1.0", "7.0", "0.1.2", "\u0663.\u0661", "9" * 5000 + ".0"]
)
async def test_a_cursor_of_something_else_is_refused(library: Library, cursor: str) -> None:
    content = whole_segment(await a_segment(library, 0, 3, CAT), rows=3)

    with pytest.raises(Invalid, match="cursor"):
        await library.page(content, cursor=cursor)


async def test_an_asset_is_found_by_its_id(library: Library) -> None:
    content = whole_segment(await a_segment(library, 0, 3, CAT), rows=3, layer=GROUND_TRUTH)

    row = await library.find(content, (bytes([1]) * 32).hex())

    assert row.image.file_name == "001.jpg"
    assert [one._replace(id=None) for one in row.layers[GROUND_TRUTH]] == [CAT]
    with pytest.raises(NotFound):
        await library.find(content, "ab" * 32)


async def test_what_does_not_exist_is_not_found(library: Library) -> None:
    nothing = "sha256:" + "0" * 64

    with pytest.raises(NotFound):
        await library.segment(nothing)
    with pytest.raises(NotFound):
        await library.content(nothing)
    with pytest.raises(NotFound):
        await library.version("0" * 32)


async def test_a_segment_of_a_newer_format_is_refused(library: Library, database: Database, blobs: Blobs) -> None:
    segment = await a_segment(library, 0, 1, CAT)
    segments = database.documents(Segment)
    document = await segments.get(segment.removeprefix("sha256:"))
    await segments.replace(document.successor(format=2), was=document)

    with pytest.raises(Invalid, match="format 2"):
        await Library(database, blobs).segment(segment)


async def test_a_damaged_file_is_refused(library: Library, database: Database, blobs: Blobs, tmp_path: Path) -> None:
    segment = await a_segment(library, 0, 3, CAT)
    document = await database.documents(Segment).get(segment.removeprefix("sha256:"))
    name = document.images.digest.removeprefix("sha256:")
    path = next((tmp_path / "blobs").rglob(name))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    with pytest.raises(Invalid):
        await (await Library(database, blobs).segment(segment)).assets()


async def test_a_blob_that_is_no_parquet_is_refused(library: Library, database: Database, blobs: Blobs) -> None:
    segment = await a_segment(library, 0, 3, CAT)
    segments = database.documents(Segment)
    document = await segments.get(segment.removeprefix("sha256:"))
    await segments.replace(document.successor(images=await blobs.put(b"no parquet")), was=document)

    with pytest.raises(Invalid, match="Parquet"):
        await (await Library(database, blobs).segment(segment)).assets()


async def test_statistics_are_computed_once(library: Library, database: Database, blobs: Blobs) -> None:
    kept = await library.keep(whole_segment(await a_segment(library, 0, 3, CAT), rows=3, layer=GROUND_TRUTH))

    first = await library.statistics(kept.digest)
    await blobs.remove(kept.digest)

    assert await Library(database, blobs).statistics(kept.digest) == first
    assert first.layers[GROUND_TRUTH].annotations == 3


async def test_many_readers_at_once_read_the_same(library: Library, database: Database, blobs: Blobs) -> None:
    content = whole_segment(await a_segment(library, 0, 3, CAT), rows=3, layer=GROUND_TRUTH)
    small = Library(database, blobs, memory_bytes=100, readers=2)

    pages = await asyncio.gather(*(small.page(content) for _ in range(20)))

    assert all(page == pages[0] for page in pages)
    assert len(pages[0].rows) == 3


async def test_a_segment_without_images_is_read_too(library: Library) -> None:
    segment = await library.keep_segment(build_segment([], [], layer=GROUND_TRUTH, described=True))

    kept = await library.keep(whole_segment(segment, rows=0, layer=GROUND_TRUTH))

    assert kept.counts.images == 0
    assert (await library.statistics(kept.digest)).images == 0


def test_a_memory_forgets_what_was_used_longest_ago() -> None:
    memory = Memory(10)
    memory.keep("a", 1, size_bytes=5)
    memory.keep("b", 2, size_bytes=5)
    memory.get("a")

    memory.keep("c", 3, size_bytes=5)
    memory.keep("too large", 4, size_bytes=11)

    assert [memory.get(key) for key in ("a", "b", "c", "too large")] == [1, None, 3, None]
    assert memory.size_bytes == 10
