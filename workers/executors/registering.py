"""Making executors known: folders of this machine, and images of its engine."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from schemas.errors import Invalid
from schemas.executors import Executor, ExecutorSubmission, Runtime
from storage.clock import utc_now
from storage.contested import added
from storage.ports import Documents
from workers.executors.image_manual import inspect_image
from workers.executors.images import Images
from workers.executors.registry import inspect

# All that its files say.
READ_ANEW: Final = {
    "reference",
    "digest",
    "object_types",
    "templates",
    "type_templates",
    "protocol",
    "read_only_root",
    "is_livecode",
}


async def inspected(submission: ExecutorSubmission, *, roots: Sequence[Path], images: Images | None = None) -> Executor:
    """Return the executor that a folder or an image is; raise Invalid naming the file at fault."""
    if submission.runtime is Runtime.DOCKER:
        if images is None:
            raise Invalid(
                "Images are not run here: there is no Docker engine.", step="Register a folder, or start one."
            )
        return await inspect_image(submission, images=images, at=utc_now())
    return await asyncio.to_thread(partial(inspect, submission, roots=roots, at=utc_now()))


async def register(folders: Sequence[Path], executors: Documents[Executor]) -> None:
    """Register folders under their names, and read again those that are another release, or elsewhere, by now."""
    for folder in folders:
        submission = ExecutorSubmission(name=folder.name, reference=str(folder.absolute()))
        found = await inspected(submission, roots=(folder.absolute().parent,))
        known = await added(found, executors)
        if (known.reference, known.digest) != (found.reference, found.digest):
            changes = found.model_dump(include=READ_ANEW)
            await executors.replace(known.successor(**changes), was=known)
