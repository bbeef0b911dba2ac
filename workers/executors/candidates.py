"""The input of a mining or an inference: images and their index; and what the executor found on them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from schemas.errors import Invalid
from storage.cache import BlobCache
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.restriction import Ids
from storage.datasets.rows import AssetRow, ImageRow
from workers.executors.infer_result import Found, read_predictions
from workers.executors.inputs import index_lines, write_images
from workers.executors.layout import CANDIDATE_INDEX, INFER_RESULT
from workers.executors.preprocessing import Preprocessor
from workers.executors.runs import Run
from workers.executors.scaling import scaled_all

Images = dict[bytes, ImageRow]
"""By asset."""
NOTHING: Final[Mapping[bytes, ImageRow]] = MappingProxyType({})


async def write_candidates(
    content: Content, run: Run, *, library: Library, cache: BlobCache, preprocessor: Preprocessor
) -> Images:
    """Write all images of a content with their index into a run's input folder; return them as it sees them."""
    images: Images = {}
    take = _taker(images, run.folder.given / CANDIDATE_INDEX, run)
    rows = library.rows(content, layers=[])
    await write_images(rows, run.folder, cache=cache, each=take, preprocessor=preprocessor)
    if not images:
        raise Invalid("There is no image to work on.", step="Name a version that has images.")
    return images


def assets_of(content: Content, *, ids: Ids) -> list[bytes]:
    """Return all assets of a content, in order of (segment, row)."""
    masks = content.image_masks()
    return [bytes(asset) for segment in sorted(masks) for asset in ids[segment].ids[masks[segment]]]


def read_found(
    run: Run, images: Images, *, classes: Sequence[str] | None, own: Mapping[bytes, ImageRow] = NOTHING
) -> Found:
    """Return what the executor found on each image, in pixels of the image as displayed; raise Invalid.

    ``own`` has the images themselves where the executor saw them in another size.
    """
    found = read_predictions(run.folder.made / INFER_RESULT, images=images, classes=classes)
    scaled = {
        asset: scaled_all(rows, was=images[asset], now=own.get(asset, images[asset]))
        for asset, rows in found.annotations.items()
    }
    return found._replace(annotations=scaled)


def _taker(images: Images, index: Path, run: Run) -> Callable[[Sequence[AssetRow]], None]:
    def take(rows: Sequence[AssetRow]) -> None:
        images.update((row.image.asset, row.image) for row in rows)
        with index.open("a", encoding="utf-8") as file:
            file.writelines(index_lines(rows, layout=run.layout))

    return take
