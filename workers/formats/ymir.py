"""YMIR's own layout: ``images/``, ``gt/`` (or ``annotations/``) and ``pred/`` with ``meta.yaml``."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from schemas.annotations import LayerName
from workers.formats.coco import Coco
from workers.formats.format import FileRecord, Format, Listing, Reading, with_layers
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
        splits = ListedSplits(listing)
        return Reading(
            truth.total,
            _joined(truth, found, meta.layer, splits),
            chain(truth.findings, found.findings),
            [*truth.faults, *found.faults, *meta.faults],
            truth.parse or found.parse,
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


def _joined(truth: Reading, found: Reading, layer: LayerName, splits: ListedSplits) -> Iterator[FileRecord]:
    by_image = {record.image: record for record in found.records if record.labels or record.labels_file}
    for record in truth.records:
        predicted = by_image.get(record.image)
        split = splits.of(record.image) or record.split
        if predicted is None:
            yield record._replace(split=split)
            continue
        labels = record.labels
        if predicted.labels is not None:
            labels = with_layers(labels, {layer: predicted.labels})
        files = {} if predicted.labels_file is None else {layer: predicted.labels_file}
        yield record._replace(split=split, labels=labels, layer_files=files, faults=(*record.faults, *predicted.faults))
