"""The bare columnar limit: the same answers out of plain Arrow columns in memory, checked and kept by nobody."""

from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from storage.datasets.content import Content
from storage.datasets.library import Library
from tests.bench.synthetic import CLASSES

IMAGE_COLUMNS: Final = ("asset", "annotations")
ANNOTATION_COLUMNS: Final = ("image", "class", "width", "height")


class Bare(NamedTuple):
    """A version as two tables; ``image`` counts through all segments."""

    images: Any
    annotations: Any
    prefixes: NDArray[np.uint64]


async def bare(content: Content, library: Library) -> Bare:
    """Return the columns of a content whose every row is meant."""
    images, annotations, rows = [], [], 0
    for reader in (await library.segments(content.segments())).values():
        images.append((await reader.images(list(IMAGE_COLUMNS))).combine_chunks())
        table = (await reader.annotations(list(ANNOTATION_COLUMNS))).combine_chunks()
        annotations.append(table.set_column(0, "image", pc.add(table.column("image"), pa.scalar(rows, pa.int32()))))
        rows += images[-1].num_rows
    joined = pa.concat_tables(images).combine_chunks()
    assets = joined.column("asset").chunk(0).buffers()[1]
    prefixes = np.frombuffer(assets, np.uint64)[::4].copy()
    return Bare(joined, pa.concat_tables(annotations).unify_dictionaries().combine_chunks(), prefixes)


def merge(host: Bare, guest: Bare) -> None:
    """Keep the host's rows and those of the guest's whose asset the host lacks."""
    new = ~np.isin(guest.prefixes, host.prefixes)
    pa.concat_tables([host.images, guest.images.filter(pa.array(new))])
    of_new = new[guest.annotations.column("image").to_numpy()]
    pa.concat_tables([host.annotations, guest.annotations.filter(pa.array(of_new))])


def keep_classes(version: Bare, included: str, excluded: str) -> None:
    """Keep the images that have one class and not another, with all their annotations."""
    codes = version.annotations.column("class").chunk(0).indices.to_numpy()
    image = version.annotations.column("image").to_numpy()
    keep = np.zeros(version.images.num_rows, np.bool_)
    keep[image[codes == CLASSES.index(included)]] = True
    keep[image[codes == CLASSES.index(excluded)]] = False
    version.images.filter(pa.array(keep))
    version.annotations.filter(pa.array(keep[image]))


def sample(version: Bare, count: int) -> None:
    """Keep the images with the smallest keyed hashes."""
    keys = version.prefixes * np.uint64(0x9E3779B97F4A7C15)
    version.images.take(pa.array(np.argpartition(keys, count)[:count]))


def statistics(version: Bare) -> None:
    """Count annotations and images of each class, and the areas of boxes in 100 bins."""
    codes = version.annotations.column("class").chunk(0).indices.to_numpy()
    image = version.annotations.column("image").to_numpy()
    np.bincount(codes)
    there = np.zeros(version.images.num_rows * len(CLASSES), np.bool_)
    there[image.astype(np.int64) * len(CLASSES) + codes] = True
    there.reshape(-1, len(CLASSES)).sum(axis=0)
    area = version.annotations.column("width").to_numpy() * version.annotations.column("height").to_numpy()
    np.bincount(np.minimum(area // 1000, 99).astype(np.int64))
