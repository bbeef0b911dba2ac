"""The folder of a job that the workers and LabelFree both see: its images, and what is remembered of the tool."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final
from uuid import uuid4

from pydantic import NonNegativeInt, ValidationError

from schemas.errors import Invalid, Unavailable
from schemas.labeling import LabelingItem, LabelingJob
from schemas.schema import AssetId, Schema
from storage.labeling.settings import ToolSettings

IMAGES: Final = "Images"
OUTPUT: Final = "label_studio_output"
MADE: Final = "ymir.json"
PARTIAL: Final = ".part"
SUFFIXES: Final = {"image/jpeg": "jpg", "image/png": "png", "image/bmp": "bmp"}
"""Of the images that LabelFree takes; others are written as PNG."""
OTHERS: Final = "png"


class Made(Schema):
    """What was made in the tool for a job, by ids, 0 for what is still to be made: nothing there can be looked for."""

    project: NonNegativeInt = 0
    import_storage: NonNegativeInt = 0
    export_storage: NonNegativeInt = 0
    is_whole: bool = False
    """The project was seen with all of the images."""
    is_cut: bool = False
    """The job is closed, and what nobody labeled was deleted."""
    is_asked: bool = False
    """An export was asked for."""
    former: str | None = None
    """The export that was listed first before that; empty if there was none."""
    export: str = ""
    """The export that was asked for, where its id was told."""
    is_taken: bool = False
    """What that export says was taken."""
    looked: NonNegativeInt = 0
    """How often the project was looked at since."""


class JobFolder:
    """The folder ``label_<job>`` of a job. Every call raises Unavailable where the folder cannot be used."""

    def __init__(self, settings: ToolSettings, job: LabelingJob) -> None:
        self._root, in_tool = settings.folders
        name = f"label_{job.id}"
        self._in_tool = in_tool / name
        self.path = self._root / name

    @property
    def images_in_tool(self) -> PurePosixPath:
        """Where LabelFree finds the images."""
        return self._in_tool / IMAGES

    @property
    def output_in_tool(self) -> PurePosixPath:
        """Where LabelFree may write."""
        return self._in_tool / OUTPUT

    def make(self) -> None:
        """Make the folder, if it is not there."""
        with self._errors():
            if not self._root.is_dir():
                step = "Mount it there on every worker, or correct folder in YMIR_LABELING_TOOLS."
                raise Unavailable(f"The folder {self._root}, which LabelFree shares, is not there.", step=step)
            for name in (IMAGES, OUTPUT):
                (self.path / name).mkdir(parents=True, exist_ok=True)

    def made(self) -> Made | None:
        """Return what was made in the tool for the job; None if the folder is not there."""
        with self._errors():
            if not self.path.is_dir():
                return None
            try:
                return Made.model_validate_json((self.path / MADE).read_bytes())
            except FileNotFoundError:
                return Made()
            except ValidationError as error:
                step = "Cancel the task, remove the folder, and ask for labels again."
                raise Invalid(f"{self.path / MADE} cannot be read: somebody changed it.", step=step) from error

    def remember(self, made: Made, **changes: object) -> Made:
        """Keep what was made in the tool, durably, and return it."""
        made = made.model_copy(update=changes)
        with self._errors():
            self._write(self.path / MADE, made.model_dump_json().encode())
        return made

    def image(self, item: LabelingItem) -> Path:
        """Return where an image lies."""
        return self.path / IMAGES / image_name(item)

    def lacks(self, item: LabelingItem) -> bool:
        """Tell whether an image is still to be written."""
        with self._errors():
            return not self.image(item).exists()

    def write_image(self, item: LabelingItem, data: bytes) -> None:
        """Write an image, whole or not at all."""
        path = self.image(item)
        with self._errors():
            path.parent.mkdir(exist_ok=True)
            self._write(path, data)

    def assets(self) -> set[AssetId]:
        """Return the assets whose images were written."""
        with self._errors():
            return {path.stem for path in (self.path / IMAGES).glob("??/*") if path.suffix != PARTIAL}

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        with self._errors():
            if self.path.exists():
                shutil.rmtree(self.path)

    def _write(self, path: Path, data: bytes) -> None:
        # Nothing in its name looks like an image: LabelFree takes whatever does.
        partial = path.with_name(f"{uuid4().hex}{PARTIAL}")
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with folder_errors(self.path):
            yield


@contextmanager
def folder_errors(path: Path) -> Iterator[None]:
    """Turn what the file system raises into Unavailable."""
    try:
        yield
    except OSError as error:
        step = "See that there is room, and that workers and LabelFree may both read and write there."
        raise Unavailable(
            f"The folder {path}, which LabelFree shares: {error.strerror or error}.", step=step
        ) from error


def image_name(item: LabelingItem) -> str:
    """Return the name of an item's image below the folder of the images."""
    return f"{item.asset[-2:]}/{item.asset}.{SUFFIXES.get(item.media_type, OTHERS)}"
