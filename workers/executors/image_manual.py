"""What an image says of itself, read without running it."""

from datetime import datetime
from typing import Final

from schemas.errors import Invalid
from schemas.executors import Executor, ExecutorSubmission
from workers.executors.images import Images
from workers.executors.manual import MANIFEST, read_manual
from workers.executors.registry import executor_of

FOLDER: Final = "/img-man"
START: Final = "/usr/bin/start.sh"
LABEL: Final = "ymir.manifest"
"""A label of an image that may hold what is else in ``/img-man/manifest.yaml``."""


async def inspect_image(submission: ExecutorSubmission, *, images: Images, at: datetime) -> Executor:
    """Return the executor that an image is, pulled if the engine lacks it.

    Raise Invalid naming the file at fault, or for an image that there is not; Unavailable if the engine or the
    registry does not answer.
    """
    image = await images.find_or_pull(submission.reference)
    found = await images.read_files(image, [FOLDER, *([] if image.command else [START])])
    files = {path.removeprefix(f"{FOLDER}/"): data for path, data in found.items() if path.startswith(f"{FOLDER}/")}
    if LABEL in image.labels:
        files.setdefault(MANIFEST, image.labels[LABEL].encode())
    manual = read_manual(files, where=f"{submission.reference}: {FOLDER}")
    if not image.command and START not in found:
        raise Invalid(
            f"The image {submission.reference!r} has no command, and no {START}.",
            step='Give it the command ["bash", "/usr/bin/start.sh"].',
        )
    return executor_of(submission, manual, reference=submission.reference, digest=image.digest, at=at)
