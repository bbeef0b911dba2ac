"""The assets of an import: each once, however often its bytes come."""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.errors import Fault
from schemas.exchange_parameters import BadImage as OnBadImage
from schemas.exchange_parameters import ImportParameters
from schemas.splits import Split
from storage.datasets.rows import ImageRow
from workers.findings import TOLD_OF_A_KIND, Findings
from workers.formats.format import FileRecord
from workers.images import BadImage
from workers.importing.classes import ClassResolver
from workers.importing.inspecting import Batch, Found
from workers.importing.seen import Seen, SeenAssets
from workers.importing.segments import Gathered


class Taken(NamedTuple):
    """What some images add to an import."""

    new: list[Gathered]
    late: list[Gathered]
    """What is said of assets that came before with nothing said."""


class Assets:
    """Turns what was found of images into new assets, and counts the rest."""

    def __init__(
        self, parameters: ImportParameters, *, classes: ClassResolver, findings: Findings, seen: SeenAssets
    ) -> None:
        self.faults: list[Fault] = []
        """What makes the import fail, the first thousand."""
        self.images = 0
        self.annotated = 0
        self.annotations = 0
        self.predictions = 0
        self._parameters = parameters
        self._classes = classes
        self._findings = findings
        self._seen = seen

    @property
    def failing(self) -> bool:
        """Whether the import is to fail, so that only more reasons are looked for."""
        return bool(self.faults) or self._classes.stopped

    def fail(self, faults: tuple[Fault, ...]) -> None:
        """Note what makes the import fail."""
        self._findings.add_faults(faults)
        self.faults.extend(faults[: TOLD_OF_A_KIND - len(self.faults)])

    def take(self, records: Sequence[FileRecord], batch: Batch) -> Taken:
        """Return what the images of a batch add to the import; it blocks a little, for a file is asked."""
        self._classes.count(batch.unknown)
        taken = Taken([], [])
        before = self._seen.of(found.image.asset for found in batch.found if isinstance(found.image, ImageRow))
        changed: dict[bytes, Seen] = {}
        for position, (record, found) in enumerate(zip(records, batch.found, strict=True)):
            self._note(found)
            if isinstance(found.image, ImageRow) and not self.failing:
                split = self._parameters.split or record.split or Split.NONE
                asset = Gathered(found.image, split, batch.layers, position, found.weight)
                now = Seen(record.image, found.said, split)
                known = changed.get(found.image.asset) or before.get(found.image.asset)
                if self._is_new(known, now):
                    changed[found.image.asset] = now if known is None else known._replace(said=now.said)
                    (taken.new if known is None else taken.late).append(asset)
                    self._count(found)
        self._seen.keep(changed)
        return taken

    def _note(self, found: Found) -> None:
        self._findings.add_all(found.findings)
        if found.faults:
            self.fail(found.faults)
        if isinstance(found.image, BadImage):
            image = found.image
            self._findings.add(image.path, f"The image is left out: {image.reason}.", kind="bad image")
            if self._parameters.on_bad_image is OnBadImage.FAIL:
                self.fail((Fault(f"the image cannot be used: {image.reason}", image.path),))

    def _is_new(self, before: Seen | None, now: Seen) -> bool:
        """Return whether something is to be added; tell what of a duplicate is not."""
        if before is None:
            self.images += 1
            return True
        same = f"It has the same bytes as {before.name}, and is the same asset."
        self._findings.add(now.name, same, kind="duplicate")
        if now.split is not before.split:
            detail = f"{before.name}, with the same bytes, stays in the split {before.split}, not {now.split}."
            self._findings.add(now.name, detail, kind="split")
        if not now.said or now.said == before.said:
            return False
        if not before.said:
            return True
        detail = f"Its annotations differ from those of {before.name}, with the same bytes, and are left out."
        self._findings.add(now.name, detail, kind="differing duplicate")
        return False

    def _count(self, found: Found) -> None:
        self.annotated += found.annotated
        self.annotations += found.annotations
        self.predictions += found.predictions
