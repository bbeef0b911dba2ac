"""What is verified: a folder or an image, and what it says of itself."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from schemas.errors import Invalid
from schemas.executors import Executor, ExecutorSubmission, Protocol, Runtime
from storage.clock import utc_now
from workers.executors.image_manual import FOLDER, START, inspect_image
from workers.executors.images import Images
from workers.executors.registry import MANUAL, inspect, manual_files

NAME: Final = "verified"


class Subject(NamedTuple):
    """A folder or an image."""

    runtime: Runtime
    reference: str
    files: Mapping[str, bytes]
    """What lies under ``img-man/``, as far as the system reads it."""
    has_start: bool
    executor: Executor | None
    refusal: str
    """Why it cannot be registered, if it cannot."""


async def folder_subject(folder: Path, *, protocol: Protocol | None = None) -> Subject:
    """Return what a folder is."""

    def read() -> Subject:
        submission = ExecutorSubmission(name=NAME, reference=str(folder.absolute()), protocol=protocol)
        executor, refusal = None, ""
        try:
            executor = inspect(submission, roots=[folder.absolute().resolve().parent], at=utc_now())
        except Invalid as error:
            refusal = error.detail
        has_start = (folder / "start.sh").is_file()
        return Subject(Runtime.PROCESS, str(folder), manual_files(folder / MANUAL), has_start, executor, refusal)

    return await asyncio.to_thread(read)


async def image_subject(reference: str, images: Images, *, protocol: Protocol | None = None) -> Subject:
    """Return what an image is; raise Invalid if there is none, Unavailable if the engine does not answer."""
    submission = ExecutorSubmission(name=NAME, runtime=Runtime.DOCKER, reference=reference, protocol=protocol)
    image = await images.find_or_pull(reference)
    found = await images.read_files(image, [FOLDER, START])
    files = {path.removeprefix(f"{FOLDER}/"): data for path, data in found.items() if path.startswith(f"{FOLDER}/")}
    executor, refusal = None, ""
    try:
        executor = await inspect_image(submission, images=images, at=utc_now())
    except Invalid as error:
        refusal = error.detail
    has_start = bool(image.command) or START in found
    return Subject(Runtime.DOCKER, reference, files, has_start, executor, refusal)
