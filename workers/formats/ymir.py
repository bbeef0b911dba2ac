"""YMIR's own layout: ``images/``, ``gt/`` (or ``annotations/``) and ``pred/`` with ``meta.yaml``."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from schemas.annotations import LayerName
from schemas.splits import Split
from workers.formats.coco import Coco
from workers.formats.coco_labels import CocoLabels
from workers.formats.format import FileRecord, Format, Listing, ParsePart, Reading, with_layers
from workers.formats.listing import base_name
from workers.formats.plain import Plain
from workers.formats.voc import LABEL_FOLDERS, Voc
from workers.formats.voc_layout import ListedSplits
from workers.formats.ymir_meta import META, YmirMeta, read_meta

PRED: Final = "pred"


class Ymir:
    """Ground truth and a layer of predictions, each as VOC files or a COCO document.

    The predictions are a layer of their own, named by ``meta.yaml``: ``layer``, else ``model@stage``.
    """

    name = "ymir"
    looks_for = "a folder pred/ of VOC or COCO files beside images/"

    def detect(self, listing: Listing) -> bool:
        """Return whether there is a folder of predictions with files of annotations, or what describes such."""
        _, predicted = _divided(listing)
        return bool(predicted) and (_meta_file(predicted) is not None or _inside(listing, predicted) is not None)

    def read(self, listing: Listing) -> Reading:
        """Return each image with what is said of it in both folders."""
        others, predicted = _divided(listing)
        meta_file = _meta_file(predicted)
        meta = YmirMeta() if meta_file is None else read_meta(listing.folder / meta_file, name=meta_file)
        truth = _read(listing, others, _inside(listing, others))
        found = _read(listing, predicted, _inside(listing, predicted))
        listed = zip(listing.images, ListedSplits(listing, listing.images).in_order(), strict=True)
        return Reading(
            truth.total,
            _joined(truth, found, meta.layer, listed),
            chain(truth.findings, found.findings),
            [*truth.faults, *found.faults, *meta.faults],
            truth.parse or found.parse,
            _either(truth.parse_part, found.parse_part),
            predictions={} if meta.predictions is None else {meta.layer: meta.predictions},
        )


def _divided(listing: Listing) -> tuple[list[str], list[str]]:
    """Return the files beside images: those not below a folder of predictions, and those below one."""
    others: list[str] = []
    predicted: list[str] = []
    for path in listing.others:
        (predicted if PRED in path.lower().split("/")[:-1] else others).append(path)
    return others, predicted


def _meta_file(predicted: Sequence[str]) -> str | None:
    return next((path for path in predicted if base_name(path).lower() == META), None)


def _inside(listing: Listing, others: Sequence[str]) -> Format | None:
    """Return the format of some of the files."""
    some = listing._replace(others=others)
    forms: tuple[Format, ...] = (Coco(), Voc(labels=LABEL_FOLDERS | {PRED}))
    return next((form for form in forms if form.detect(some)), None)


def _read(listing: Listing, others: Sequence[str], form: Format | None) -> Reading:
    return (form or Plain()).read(listing._replace(others=others))


def _either(truth: ParsePart | None, found: ParsePart | None) -> ParsePart | None:
    if isinstance(truth, CocoLabels) and isinstance(found, CocoLabels):
        return CocoLabels({**truth.categories, **found.categories})
    return truth or found


def _joined(
    truth: Reading, found: Reading, layer: LayerName, listed: Iterator[tuple[str, Split | None]]
) -> Iterator[FileRecord]:
    """Yield the records of the ground truth with their splits and predictions; all come in the order of the images."""
    predictions = iter(found.records)
    predicted = next(predictions, None)
    for record in truth.records:
        split = next(split for image, split in listed if image == record.image)
        while predicted is not None and predicted.image < record.image:
            predicted = next(predictions, None)
        whole = record._replace(split=split or record.split)
        if predicted is not None and predicted.image == record.image:
            whole = _with_predicted(whole, predicted, layer)
        yield whole


def _with_predicted(record: FileRecord, predicted: FileRecord, layer: LayerName) -> FileRecord:
    labels = record.labels if predicted.labels is None else with_layers(record.labels, {layer: predicted.labels})
    files = {} if predicted.labels_file is None else {layer: (predicted.labels_file, predicted.part)}
    return record._replace(labels=labels, layer_files=files, faults=(*record.faults, *predicted.faults))
