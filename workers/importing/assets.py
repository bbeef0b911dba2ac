"""The assets of an import: each once, its labels in the displayed frame and under main names."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from schemas.annotations import ATTRIBUTES, LayerName
from schemas.errors import Fault
from schemas.exchange_parameters import BadImage as OnBadImage
from schemas.exchange_parameters import ImportParameters
from schemas.splits import Split
from storage.datasets.rows import ImageRow
from workers.findings import TOLD_OF_A_KIND, Findings
from workers.formats.format import FileRecord, Labels
from workers.formats.frames import is_displayed, to_displayed
from workers.image_pool import Inspected
from workers.images import BadImage
from workers.importing.classes import ClassResolver
from workers.importing.segments import Gathered, Rows


class _Seen(NamedTuple):
    name: str
    said: int | None
    """The hash of all that is said of it; None while that is nothing."""
    split: Split


class _Said(NamedTuple):
    annotations: Rows | None = None
    attributes: str = ""
    layers: Mapping[LayerName, Rows] = {}


class Late(NamedTuple):
    """What is said of an asset that came before with nothing said."""

    asset: Gathered


class Assets:
    """Turns what was found of each image into new assets, and counts the rest."""

    def __init__(self, parameters: ImportParameters, *, classes: ClassResolver, findings: Findings) -> None:
        self.faults: list[Fault] = []
        """What makes the import fail, the first thousand."""
        self.images = 0
        self.annotated = 0
        self.annotations = 0
        self.predictions = 0
        self._parameters = parameters
        self._classes = classes
        self._findings = findings
        self._seen: dict[bytes, _Seen] = {}

    @property
    def failing(self) -> bool:
        """Whether the import is to fail, so that only more reasons are looked for."""
        return bool(self.faults) or self._classes.stopped

    def fail(self, faults: tuple[Fault, ...]) -> None:
        """Note what makes the import fail."""
        self._findings.add_faults(faults)
        self.faults.extend(faults[: TOLD_OF_A_KIND - len(self.faults)])

    def take(self, record: FileRecord, found: Inspected) -> Gathered | Late | None:
        """Return what an image adds to the import, None where it adds nothing."""
        if record.faults or found.faults:
            self.fail((*record.faults, *found.faults))
        labels = record.labels if found.labels is None else found.labels
        if isinstance(found.image, BadImage):
            self._bad(found.image)
            return None
        said = _Said() if labels is None else self._said(record, labels, found.image)
        if found.image is None or self.failing:
            return None
        split = self._parameters.split or record.split or Split.NONE
        return self._new(record.image, Gathered(found.image, split, said.annotations, said.attributes, said.layers))

    def _bad(self, image: BadImage) -> None:
        self._findings.add(image.path, f"The image is left out: {image.reason}.", kind="bad image")
        if self._parameters.on_bad_image is OnBadImage.FAIL:
            self.fail((Fault(f"the image cannot be used: {image.reason}", image.path),))

    def _said(self, record: FileRecord, labels: Labels, image: ImageRow | None) -> "_Said":
        where = record.labels_file or record.image
        for dropped in labels.dropped:
            self._findings.add(where, f"{dropped} cannot be kept.", kind="not kept")
        self._findings.add_all(labels.findings)
        turns = image is not None and not labels.displayed and not is_displayed(labels.size, image)

        def kept(annotations: Rows) -> Rows:
            rows = self._classes.resolve(annotations, where=where)
            self._check_ids(rows, where)
            return tuple(to_displayed(row, image) for row in rows) if turns and image is not None else rows

        for layer in labels.layers.keys() & {self._parameters.layer, ATTRIBUTES}:
            self.fail((Fault(f"has a layer {layer!r} of its own; import into a layer of another name", where),))
        annotations = kept(labels.annotations) if labels.annotated else None
        layers = {name: kept(rows) for name, rows in labels.layers.items()}
        if image is not None and turns and (annotations or any(layers.values())):
            detail = f"Annotations were turned with the image, whose EXIF orientation is {image.orientation}."
            self._findings.add(record.image, detail, kind="turned")
        return _Said(annotations, labels.attributes, layers)

    def _check_ids(self, rows: Rows, where: str) -> None:
        ids = [row.id for row in rows if row.id is not None]
        if len(set(ids)) < len(ids):
            twice = {identity.hex() for identity, times in Counter(ids).items() if times > 1}
            self.fail((Fault(f"several annotations of the image have the id {min(twice)}", where),))

    def _new(self, name: str, asset: Gathered) -> Gathered | Late | None:
        said = hash((asset.annotations, asset.attributes, tuple(asset.layers.items()))) if asset.is_described else None
        before = self._seen.get(asset.image.asset)
        if before is not None:
            return self._again(before, _Seen(name, said, asset.split), asset)
        self._seen[asset.image.asset] = _Seen(name, said, asset.split)
        self.images += 1
        self._count(asset)
        return asset

    def _again(self, before: _Seen, now: _Seen, asset: Gathered) -> Late | None:
        same = f"It has the same bytes as {before.name}, and is the same asset."
        self._findings.add(now.name, same, kind="duplicate")
        if now.split is not before.split:
            detail = f"{before.name}, with the same bytes, stays in the split {before.split}, not {now.split}."
            self._findings.add(now.name, detail, kind="split")
        if now.said is None or now.said == before.said:
            return None
        if before.said is None:
            self._seen[asset.image.asset] = before._replace(said=now.said)
            self._count(asset)
            return Late(asset)
        detail = f"Its annotations differ from those of {before.name}, with the same bytes, and are left out."
        self._findings.add(now.name, detail, kind="differing duplicate")
        return None

    def _count(self, asset: Gathered) -> None:
        self.annotated += asset.annotations is not None
        self.annotations += len(asset.annotations or ())
        self.predictions += sum(map(len, asset.layers.values()))
