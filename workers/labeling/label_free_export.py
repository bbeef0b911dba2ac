"""An export of LabelFree: what its COCO document says, as answers."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from schemas.errors import Invalid
from schemas.labeling import Answer
from schemas.schema import AssetId
from storage.datasets.rows import AnnotationRow, MaskRow, to_annotation
from storage.labeling.geometry import TOLERANCE_PIXELS
from workers.archives import ArchiveLimits, unpack
from workers.formats.coco_document import CocoDocument
from workers.formats.coco_labels import CocoLabels
from workers.formats.format import Labels, ParsePart, Part
from workers.formats.json_stream import JsonDocument
from workers.formats.listing import ImageNames, base_name, stem_of
from workers.formats.outlines import outlines_of
from workers.formats.parts import box_about
from workers.formats.rle import PIXELS_AT_MOST
from workers.labeling.tools import Told, Unfit

COCO: Final = 4
"""The type of such an export."""
DOCUMENT: Final = "annotations/stuff_images.json"
TOGETHER: Final = 500
LIMITS: Final = ArchiveLimits(size=16 << 30, ratio=200.0, members=1_000)
_ASSET: Final = re.compile("[0-9a-f]{64}")


class Form(NamedTuple):
    """The form of the annotations that a job asks for."""

    annotation: str

    def of(self, row: AnnotationRow, size: tuple[int, int] | None) -> AnnotationRow:
        """Return an annotation in this form: LabelFree exports outlines or masks as it likes.

        It marks what is written as a mask as a crowd, which says nothing of the object.
        """
        row = row._replace(confidence=None, crowd=False)
        if self.annotation == "box":
            return row._replace(box=row.box or box_about(row), polygons=(), mask=None, area=None)
        if self.annotation == "mask" and row.polygons and size is not None:
            row = row._replace(polygons=(), mask=filled(row.polygons, size)) if _hold(size, row.polygons) else row
        elif self.annotation == "polygon" and row.mask is not None:
            row = row._replace(polygons=tuple(outlines_of(row.mask)), mask=None)
        return row._replace(box=box_about(row), area=None)


def told_of(archive: Path, scratch: Path, *, form: Form) -> Iterator[Told]:
    """Yield what an export says, some images at a time; raise Invalid where it is none.

    An image that is listed without annotations is empty; one that is not listed is not spoken of.
    """
    unpacked = scratch / "export"
    unpacked.mkdir()
    unpack(archive, unpacked, limits=LIMITS, progress=_ignored)
    if not (unpacked / DOCUMENT).is_file():
        there = sorted(str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file())
        found = f"it has {', '.join(there[:10])}" if there else "it is empty"
        raise Invalid(f"The export of LabelFree has no {DOCUMENT}: {found}.", step="See docs/labelfree.md.")
    names = _names(unpacked / DOCUMENT)
    document = CocoDocument(unpacked / DOCUMENT, name=DOCUMENT, scratch=scratch)
    document.find(ImageNames(names), total=len(names))
    if document.faults:
        step = "Export the project by hand to see what is wrong, and correct it in LabelFree."
        raise Invalid("The export of LabelFree cannot be read.", step=step, faults=document.faults[:100])
    labels: ParsePart = CocoLabels({DOCUMENT: document.categories})
    parse = partial(labels, unpacked / DOCUMENT, name=DOCUMENT, image=None)
    parts = document.parts() if names else iter(())
    while some := [*islice(parts, TOGETHER)]:
        said = [_said(_asset_of(names[place]), part, parse=parse, form=form) for place, part in some]
        yield Told(
            [one for one in said if isinstance(one, Answer)],
            [one for one in said if isinstance(one, Unfit)],
        )


def listed(told: Told) -> set[AssetId]:
    """Return the assets that are spoken of."""
    return {answer.asset for answer in told.answers} | {unfit.asset for unfit in told.unfit}


def _said(asset: AssetId, part: Part, *, parse: Callable[..., Labels], form: Form) -> Answer | Unfit:
    try:
        return _answer(asset, parse(part=part), form)
    except Invalid as error:
        return Unfit(asset, " ".join(f"{fault.pointer} {fault.detail}." for fault in error.faults) or error.detail)
    except ValidationError as error:
        first = error.errors()[0]
        return Unfit(asset, f"{'.'.join(map(str, first['loc']))}: {first['msg']}.")


def _answer(asset: AssetId, labels: Labels, form: Form) -> Answer:
    rows = [form.of(row, labels.size) for row in labels.annotations]
    return Answer(asset=asset, annotations=tuple(to_annotation(row) for row in rows))


def _names(document: Path) -> list[str]:
    """Return the names of a document's images that are ours, each once."""
    found: dict[str, None] = {}
    for block in JsonDocument(document, name=DOCUMENT).blocks("images"):
        for entry in block.values if block.position >= 0 else ():
            name = _file_name(entry)
            if _ASSET.fullmatch(_asset_of(name)):
                found[name] = None
    return sorted(found)


def _asset_of(name: str) -> AssetId:
    return stem_of(base_name(name))


def _file_name(entry: Any) -> str:  # noqa: ANN401 - JSON of the tool
    name = entry.get("file_name") if isinstance(entry, Mapping) else None
    return name.replace("\\", "/").removeprefix("./") if isinstance(name, str) else ""


def filled(polygons: tuple[tuple[float, ...], ...], size: tuple[int, int]) -> MaskRow:
    """Return the mask of polygons inside a picture of some width and height, as COCO's own tools fill them."""
    from faster_coco_eval.core import mask  # noqa: PLC0415 - only who was given polygons for masks needs it

    merged = mask.merge(mask.frPyObjects([[*polygon] for polygon in polygons], size[1], size[0]))
    return MaskRow(size[1], size[0], merged["counts"].decode())


def _hold(size: tuple[int, int], polygons: tuple[tuple[float, ...], ...]) -> bool:
    """Tell whether polygons lie in a picture: filling one that reaches far out takes memory by how far it does."""
    if not 0 < size[0] < PIXELS_AT_MOST or not 0 < size[0] * size[1] < PIXELS_AT_MOST:
        return False
    return all(
        -TOLERANCE_PIXELS <= value <= side + TOLERANCE_PIXELS
        for polygon in polygons
        for start, side in enumerate(size)
        for value in polygon[start::2]
    )


def _ignored(_: float) -> None:
    """Take no note of how far the unpacking is."""
