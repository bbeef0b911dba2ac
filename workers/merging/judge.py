"""The judge of a merge: writes down every conflict, and settles it as was asked for or answered."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from schemas.annotations import Annotation
from schemas.blobs import BlobRef
from schemas.conflicts import Conflict, ConflictAnswer, Take
from schemas.errors import Invalid
from schemas.reports import Finding
from schemas.schema import to_text
from storage.conflict_lists import ConflictFile
from storage.datasets.asset_ids import asset_ids_of
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.lookup import images_of
from storage.datasets.reconcile import Clash, Rows
from storage.datasets.rows import ImageRow, to_annotation, to_row
from storage.datasets.three_way import AssetClash
from storage.ports import Blobs

KIND: Final = "conflict"
SOME: Final = 500
TOLD: Final[Mapping[Take, str]] = {
    Take.OURS: "ours was taken",
    Take.THEIRS: "theirs was taken",
    Take.BOTH: "what either side has was kept",
    Take.BASE: "it is as it was in the base",
    Take.NEITHER: "it was left out",
}

Answer = Callable[[int], ConflictAnswer | None]


class Judge:
    """Called with the clashes of a merge in order, some at a time; raise Invalid for an answer that is missing."""

    def __init__(
        self, file: ConflictFile, *, images: Content, answer: Answer | None, library: Library, blobs: Blobs
    ) -> None:
        """``answer`` has what settles the conflict of a number; without it all are left open."""
        self.findings: list[Finding] = []
        self._file = file
        self._images = images.image_masks()
        self._answer = answer
        self._library = library
        self._blobs = blobs

    async def __call__(self, clashes: Sequence[AssetClash]) -> Sequence[Rows] | None:
        """Write conflicts down, and return what settles each; None where nobody has decided yet."""
        conflicts = await self._described(clashes)
        await self._file.add(conflicts)
        settled: list[Rows] = []
        for conflict, clash in zip(conflicts, clashes, strict=True):
            settled.append(await self._settled(conflict, clash.clash))
            if len(settled) % SOME == 0:
                await asyncio.sleep(0)  # thousands of them would hold up the beats of other tasks
        return None if self._answer is None else settled

    async def _settled(self, conflict: Conflict, clash: Clash) -> Rows:
        if self._answer is None:
            self._tell(conflict, "nobody has settled it")
            return ()
        match self._answer(conflict.number):
            case ConflictAnswer(annotation=BlobRef() as annotation, by=by, at=at):
                self._tell(conflict, f"another annotation was given by {by} at {to_text(at)}")
                given = Annotation.model_validate_json(await self._blobs.get(annotation.digest))
                return clash.edited(to_row(given))
            case ConflictAnswer(take=Take() as take, by=by, at=at):
                self._tell(conflict, f"{TOLD[take]}, as {by} said at {to_text(at)}")
                return clash.taken(take)
        raise Invalid(
            f"The conflict {conflict.number} has no answer: this release finds others than were answered.",
            step="Ask for the merge again.",
        )

    def _tell(self, conflict: Conflict, what: str) -> None:
        identities = ", ".join(
            f"{name} {side.class_name or 'without class'} {side.id}"
            for name in ("ours", "theirs")
            if (side := getattr(conflict, name)) is not None
        )
        detail = f"{conflict.layer}, number {conflict.number}: {conflict.kind} ({identities}); {what}."
        self.findings.append(Finding(subject=conflict.asset, detail=detail, kind=KIND))

    async def _described(self, clashes: Sequence[AssetClash]) -> list[Conflict]:
        assets = asset_ids_of([bytes.fromhex(clash.asset) for clash in clashes])
        rows = await images_of(assets, self._images, library=self._library)
        known = dict(zip((bytes(asset).hex() for asset in assets.ids), rows, strict=True))
        return await asyncio.to_thread(_conflicts, clashes, known, len(self._file))


def _conflicts(clashes: Sequence[AssetClash], known: Mapping[str, ImageRow | None], first: int) -> list[Conflict]:
    return [_conflict(clash, known[clash.asset], number) for number, clash in enumerate(clashes, start=first)]


def _conflict(clash: AssetClash, image: ImageRow | None, number: int) -> Conflict:
    _, base, ours, theirs = clash.clash
    sides = {"base": base, "ours": ours, "theirs": theirs}
    return Conflict(
        number=number,
        layer=clash.layer,
        asset=clash.asset,
        kind=clash.clash.kind,
        file_name="" if image is None else image.file_name,
        width=0 if image is None else image.width,
        height=0 if image is None else image.height,
        **{name: None if row is None else to_annotation(row) for name, row in sides.items()},
    )
