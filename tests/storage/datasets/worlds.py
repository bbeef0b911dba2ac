"""Contents as plain dictionaries, and how segments are made of them, so that the algebra can be held to a model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from schemas.annotations import GROUND_TRUTH
from schemas.schema import Digest
from schemas.splits import Split
from storage.datasets.asset_ids import AssetIds
from storage.datasets.content import Content, LayerContent
from storage.datasets.listing import asset_rows
from storage.datasets.memory import Memory
from storage.datasets.reading import Columns, SegmentReader
from storage.datasets.rows import AnnotationRow, ImageRow, MaskRow
from storage.datasets.segments import BuiltSegment, build_segment
from storage.datasets.selections import Mask, Masks, frozen, union
from storage.ports import Blobs

# Each example writes several Parquet files, on a machine that may be busy.
few_examples: Final = settings(max_examples=30, deadline=None)
PREDICTED: Final = "model@best"
CLASSES: Final = ("ant", "bee", "cat")
# Some agree in their first eight bytes, as ids made on purpose would.
ASSETS: Final = tuple(
    first * 8 + bytes(23) + bytes([last]) for first in (b"\x00", b"\x7f", b"\xff") for last in (0, 1, 2)
)


class Known(NamedTuple):
    """What a content says of one asset."""

    split: Split
    layers: Mapping[str, tuple[AnnotationRow, ...]]


Plain = dict[bytes, Known]


class Parcel(NamedTuple):
    """A content, and how it is cut: the segment of each asset, and whether annotations have segments of their own."""

    plain: Plain
    cut: Mapping[bytes, int]
    apart: bool
    name: str


@dataclass
class Shelf:
    """Segments in memory."""

    readers: dict[Digest, SegmentReader] = field(default_factory=dict)

    async def segments(self, digests: Iterable[Digest]) -> dict[Digest, SegmentReader]:
        return {digest: self.readers[digest] for digest in sorted(set(digests))}

    async def keep_segment(self, built: BuiltSegment) -> Digest:
        blobs = TwoBlobs(
            {built.document.images.digest: built.images, built.document.annotations.digest: built.annotations}
        )
        columns = Columns(cast("Blobs", blobs), memory=Memory(1 << 20), files=Memory(0), at_once=1)
        self.readers[built.document.digest] = SegmentReader(built.document, columns)
        return built.document.digest

    async def ids(self, *contents: Content) -> dict[Digest, AssetIds]:
        segments = {segment for content in contents for segment in content.segments()}
        return {segment: await self.readers[segment].assets() for segment in segments}

    async def content(self, parcel: Parcel) -> Content:
        """Return the content of a parcel, its segments kept."""
        images: dict[Split, dict[Digest, Mask]] = {}
        layers: dict[str, dict[Digest, Mask]] = {}
        for number in sorted(set(parcel.cut.values())):
            assets = sorted(asset for asset in parcel.plain if parcel.cut[asset] == number)
            together = () if parcel.apart else (GROUND_TRUTH,)
            segment = await self._images(parcel, assets, together)
            for split in Split:
                images.setdefault(split, {})[segment] = _mask(parcel.plain[asset].split is split for asset in assets)
            for layer in {name for asset in assets for name in parcel.plain[asset].layers}:
                masks = layers.setdefault(layer, {})
                if layer in together:
                    masks[segment] = _mask(layer in parcel.plain[asset].layers for asset in assets)
                else:
                    masks |= await self._annotations(parcel, assets, layer)
        return Content(images, {name: LayerContent(masks) for name, masks in layers.items()}).tidied()

    async def plain(self, content: Content) -> Plain:
        """Return what a content says, annotation ids left out."""
        rows = asset_rows(content, layers=None, splits=None, library=self)
        return {
            row.image.asset: Known(
                row.split, {name: tuple(_without_id(one) for one in found) for name, found in row.layers.items()}
            )
            async for row in rows
        }

    async def _images(self, parcel: Parcel, assets: list[bytes], together: tuple[str, ...]) -> Digest:
        rows = [ImageRow(asset, file_name=f"{parcel.name}/{asset.hex()}.png") for asset in assets]
        layer = GROUND_TRUTH
        found = [parcel.plain[asset].layers.get(layer, ()) if layer in together else () for asset in assets]
        return await self.keep_segment(_built(tuple(rows), tuple(found), layer, described=True))

    async def _annotations(self, parcel: Parcel, assets: list[bytes], layer: str) -> Masks:
        annotated = [asset for asset in assets if layer in parcel.plain[asset].layers]
        rows = [ImageRow(asset) for asset in annotated]
        found = [parcel.plain[asset].layers[layer] for asset in annotated]
        segment = await self.keep_segment(_built(tuple(rows), tuple(found), layer, described=False))
        return {segment: _mask(True for _ in annotated)}


@lru_cache(maxsize=10_000)
def _built(
    images: tuple[ImageRow, ...], found: tuple[tuple[AnnotationRow, ...], ...], layer: str, *, described: bool
) -> BuiltSegment:
    """Return a segment; the examples of a test often have the same ones."""
    return build_segment(images, found, layer=layer, described=described)


class TwoBlobs:
    """The files of one segment; a reader asks for nothing but whole blobs."""

    def __init__(self, data: Mapping[Digest, bytes]) -> None:
        self._data = data

    async def get(self, digest: Digest) -> bytes:
        return self._data[digest]


def numbers(least: float = -1e6, greatest: float = 1e6) -> st.SearchStrategy[float]:
    return st.floats(least, greatest, allow_nan=False).map(lambda value: value + 0.0)


def texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


def rows(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[AnnotationRow]:
    """Return rows with some fields; ``builds`` would also make up the others, by their types."""
    return st.fixed_dictionaries(fields).map(lambda drawn: AnnotationRow(**drawn))


def annotations() -> st.SearchStrategy[AnnotationRow]:
    """Any annotation, every field of it."""
    points = st.lists(numbers(), min_size=6, max_size=8).map(tuple)
    return rows(
        class_name=st.none() | st.sampled_from(CLASSES) | texts().filter(bool),
        box=st.none() | st.tuples(numbers(), numbers(), numbers(0), numbers(0)),
        rotation=numbers(),
        polygons=st.lists(points, max_size=2).map(tuple),
        mask=st.none() | st.tuples(st.integers(1, 9), st.integers(1, 9), texts()).map(lambda mask: MaskRow(*mask)),
        keypoints=st.just(()) | st.tuples(numbers(), numbers(), numbers()),
        crowd=st.booleans(),
        area=st.none() | numbers(0),
        confidence=st.none() | numbers(0, 1),
        quality=st.none() | numbers(),
        attributes=st.sampled_from(["", '{"a":1}', '{"a":true,"b":"x"}']),
        author=texts(),
    )


def simple_annotations() -> st.SearchStrategy[AnnotationRow]:
    """Annotations that are often equal."""
    return rows(
        class_name=st.sampled_from(CLASSES),
        box=st.sampled_from([(0.0, 0.0, 4.0, 4.0), (1.0, 1.0, 9.0, 9.0)]),
        area=st.sampled_from([None, None, 17.0]),
        confidence=st.sampled_from([None, 0.25, 0.75]),
        quality=st.sampled_from([None, None, 0.5]),
        attributes=st.sampled_from(["", '{"a":1}', '{"a":true}']),
    )


def plains(*, layers: tuple[str, ...] = (GROUND_TRUTH, PREDICTED)) -> st.SearchStrategy[Plain]:
    found = st.dictionaries(st.sampled_from(layers), st.lists(simple_annotations(), max_size=2).map(tuple))
    known = st.tuples(st.sampled_from(Split), found).map(lambda parts: Known(*parts))
    return st.dictionaries(st.sampled_from(ASSETS), known)


@st.composite
def parcels(draw: st.DrawFn, *, layers: tuple[str, ...] = (GROUND_TRUTH, PREDICTED)) -> Parcel:
    """Any small content, cut into segments in any way."""
    return draw(cuts(draw(plains(layers=layers)), name=draw(st.sampled_from("pq"))))


def cuts(plain: Plain, *, name: str = "p") -> st.SearchStrategy[Parcel]:
    """Return the ways to cut one content into segments."""
    cut = st.fixed_dictionaries({asset: st.integers(0, 2) for asset in plain})
    return st.tuples(cut, st.booleans()).map(lambda parts: Parcel(plain, *parts, name))


def places(masks: Masks, ids: Mapping[Digest, AssetIds]) -> dict[bytes, tuple[Digest, int]]:
    """Return the segment and row of each asset that is selected."""
    return {
        ids[segment].raw(row): (segment, row)
        for segment, mask in union(masks).items()
        for row in range(len(mask))
        if mask[row]
    }


def _mask(values: Iterable[bool]) -> Mask:

    return frozen(np.array(list(values), np.bool_))


def _without_id(row: AnnotationRow) -> AnnotationRow:
    return row._replace(id=None)
