"""The formats there are: how each is read and written, and which of them a folder has."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

from schemas.errors import Invalid
from workers.formats.ark import Ark
from workers.formats.ark_exporter import ArkExporter
from workers.formats.coco import Coco
from workers.formats.coco_exporter import CocoExporter
from workers.formats.croissant_exporter import CroissantExporter
from workers.formats.cvat import Cvat
from workers.formats.cvat_exporter import CvatExporter
from workers.formats.datumaro import Datumaro
from workers.formats.datumaro_exporter import DatumaroExporter
from workers.formats.exporter import Exporter, Order
from workers.formats.format import Format, Listing
from workers.formats.label_studio import LabelStudio
from workers.formats.label_studio_exporter import LabelStudioExporter, PreAnnotationExporter
from workers.formats.labelme import LabelMe
from workers.formats.labelme_exporter import LabelMeExporter
from workers.formats.plain import Plain
from workers.formats.plain_exporter import PlainExporter
from workers.formats.voc import Voc
from workers.formats.voc_exporter import VocExporter
from workers.formats.ymir import Ymir
from workers.formats.ymir_exporter import YmirCocoExporter, YmirExporter
from workers.formats.yolo import Yolo
from workers.formats.yolo_exporter import YoloExporter
from workers.formats.yolo_settings import Variant


class Entry(NamedTuple):
    """What there is of a format: it may be read only, or written only."""

    reader: Format | None = None
    exporter: Callable[[Order], Exporter] | None = None
    variant_of: str = ""
    """The format that detects it, where it is one's variant."""
    holds: frozenset[str] = frozenset()
    """Formats that lie inside of it: found with it, they are not what is meant."""
    with_predictions: bool = False
    """Whether it is written with a layer of predictions beside."""


FORMATS: Final[Mapping[str, Entry]] = {
    "voc": Entry(Voc(), VocExporter),
    "coco": Entry(Coco(), CocoExporter),
    "yolo": Entry(Yolo("yolo", None), partial(YoloExporter, Variant.BOXES)),
    **{
        variant: Entry(Yolo(variant, variant), partial(YoloExporter, variant), variant_of="yolo")
        for variant in (Variant.POLYGONS, Variant.ORIENTED, Variant.KEYPOINTS)
    },
    "ark": Entry(Ark(), ArkExporter),
    "datumaro": Entry(Datumaro(), DatumaroExporter),
    "cvat": Entry(Cvat(), CvatExporter),
    "labelme": Entry(LabelMe(), LabelMeExporter),
    "croissant": Entry(exporter=CroissantExporter),
    "label-studio": Entry(LabelStudio(), LabelStudioExporter),
    "ls_json": Entry(exporter=PreAnnotationExporter),
    "ymir": Entry(Ymir(), YmirExporter, holds=frozenset({"voc", "coco"}), with_predictions=True),
    "ymir-coco": Entry(exporter=YmirCocoExporter, with_predictions=True),
    "none": Entry(Plain(), PlainExporter),
}
READERS: Final[Mapping[str, Format]] = {name: entry.reader for name, entry in FORMATS.items() if entry.reader}
EXPORTERS: Final = {name: entry.exporter for name, entry in FORMATS.items() if entry.exporter}


def format_named(name: str) -> Format:
    """Return the reader of a format by its name; raise Invalid listing those there are."""
    try:
        return READERS[name]
    except KeyError:
        message = f"There is no format {name!r} to import."
        raise Invalid(message, step=f"Use one of: {', '.join(sorted(READERS))}.") from None


def exporter_named(name: str) -> Callable[[Order], Exporter]:
    """Return what makes the writer of a format; raise Invalid listing those there are."""
    try:
        return EXPORTERS[name]
    except KeyError:
        message = f"There is no format {name!r} to export."
        raise Invalid(message, step=f"Use one of: {', '.join(sorted(EXPORTERS))}.") from None


def detect(listing: Listing) -> Format:
    """Return the one format that a folder looks like; images without annotations are ``none``.

    Raise Invalid where it looks like several, or has nothing that any format looks for.
    """
    found = [form for name, form in READERS.items() if _is_looked_for(name) and form.detect(listing)]
    held = frozenset[str]().union(*(FORMATS[form.name].holds for form in found))
    found = [form for form in found if form.name not in held]
    if len(found) > 1:
        message = f"The files look like several formats: {', '.join(form.name for form in found)}."
        raise Invalid(message, step="Name the one that is meant as `format`.")
    if found:
        return found[0]
    if READERS["none"].detect(listing):
        return READERS["none"]
    looked = "; ".join(
        f"{form.name}: {form.looks_for}" for name, form in READERS.items() if not FORMATS[name].variant_of
    )
    message = f"There is nothing to import. Looked for {looked}."
    raise Invalid(message, step="Check the path; images are known by suffixes such as .jpg and .png.")


def _is_looked_for(name: str) -> bool:
    return name != "none" and not FORMATS[name].variant_of
