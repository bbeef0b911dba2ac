"""The assets of an import: each once, its labels in the displayed frame and under main names."""

from collections import Counter
from typing import NamedTuple

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
    """The hash of its annotations and attributes; None while it is not annotated."""
    split: Split


class Late(NamedTuple):
    """Annotations of an asset that came before without any."""

    image: ImageRow
    annotations: Rows


class Assets:
    """Turns what was found of each image into new assets, and counts the rest."""

    def __init__(self, parameters: ImportParameters, *, classes: ClassResolver, findings: Findings) -> None:
        self.faults: list[Fault] = []
        """What makes the import fail, the first thousand."""
        self.images = 0
        self.annotated = 0
        self.annotations = 0
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
        annotations = None if labels is None else self._annotations(record, labels, found.image)
        if found.image is None or self.failing:
            return None
        return self._new(record, found.image, annotations, labels.attributes if labels else "")

    def _bad(self, image: BadImage) -> None:
        self._findings.add(image.path, f"The image is left out: {image.reason}.", kind="bad image")
        if self._parameters.on_bad_image is OnBadImage.FAIL:
            self.fail((Fault(f"the image cannot be used: {image.reason}", image.path),))

    def _annotations(self, record: FileRecord, labels: Labels, image: ImageRow | None) -> Rows:
        where = record.labels_file or record.image
        for dropped in labels.dropped:
            self._findings.add(where, f"{dropped} cannot be kept.", kind="not kept")
        rows = self._classes.resolve(labels.annotations, where=where)
        self._check_ids(rows, where)
        if image is None or not rows or labels.displayed or is_displayed(labels.size, image):
            return rows
        detail = f"Annotations were turned with the image, whose EXIF orientation is {image.orientation}."
        self._findings.add(record.image, detail, kind="turned")
        return tuple(to_displayed(row, image) for row in rows)

    def _check_ids(self, rows: Rows, where: str) -> None:
        ids = [row.id for row in rows if row.id is not None]
        if len(set(ids)) < len(ids):
            twice = {identity.hex() for identity, times in Counter(ids).items() if times > 1}
            self.fail((Fault(f"several annotations of the image have the id {min(twice)}", where),))

    def _new(
        self, record: FileRecord, image: ImageRow, annotations: Rows | None, attributes: str
    ) -> Gathered | Late | None:
        split = self._parameters.split or record.split or Split.NONE
        said = None if annotations is None else hash((annotations, attributes))
        before = self._seen.get(image.asset)
        if before is not None:
            return self._again(before, _Seen(record.image, said, split), image, annotations)
        self._seen[image.asset] = _Seen(record.image, said, split)
        self.images += 1
        self._count(annotations)
        return Gathered(image, split, annotations, attributes)

    def _again(self, before: _Seen, now: _Seen, image: ImageRow, annotations: Rows | None) -> Late | None:
        same = f"It has the same bytes as {before.name}, and is the same asset."
        self._findings.add(now.name, same, kind="duplicate")
        if now.split is not before.split:
            detail = f"{before.name}, with the same bytes, stays in the split {before.split}, not {now.split}."
            self._findings.add(now.name, detail, kind="split")
        if now.said is None or now.said == before.said:
            return None
        if before.said is None and annotations is not None:
            self._seen[image.asset] = before._replace(said=now.said)
            self._count(annotations)
            return Late(image, annotations)
        detail = f"Its annotations differ from those of {before.name}, with the same bytes, and are left out."
        self._findings.add(now.name, detail, kind="differing duplicate")
        return None

    def _count(self, annotations: Rows | None) -> None:
        self.annotated += annotations is not None
        self.annotations += len(annotations or ())
