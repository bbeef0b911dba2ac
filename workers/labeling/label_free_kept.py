"""What is to be kept of a job's images, as a COCO document that LabelFree starts from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from schemas.labeling import LabelingItem, LabelingJob
from workers.formats.class_numbers import ClassNumbers
from workers.formats.coco_writer import CocoWriter
from workers.formats.spool import Spool
from workers.labeling.label_free_folder import IMAGES, PARTIAL, JobFolder, folder_errors, image_name
from workers.labeling.label_free_project import shown

KEPT: Final = "coco-annotations.json"
SPOOLS: Final = ("images", "annotations")
WHOLE: Final = "whole"


class KeptWriter:
    """Writes the document beside the images of a job that keeps a layer; images without anything are not in it."""

    def __init__(self, folder: JobFolder, job: LabelingJob) -> None:
        self._path = folder.path / IMAGES / KEPT
        self._is_wanted = job.keep is not None
        with folder_errors(self._path):
            self._spools = [Spool(self._part(name).open("wb+")) for name in SPOOLS]
        self._writer = CocoWriter(*self._spools, classes=ClassNumbers(job.classes, first=1, closed=True))

    def add(self, items: Sequence[LabelingItem]) -> None:
        """Write what is to be kept of some images."""
        with folder_errors(self._path):
            for item in items:
                if item.suggestions:
                    self._writer.add(shown(item, name=image_name(item)))

    def finish(self) -> None:
        """Put the document in its place."""
        if not self._is_wanted:
            return
        with folder_errors(self._path):
            with self._part(WHOLE).open("wb") as file:
                file.writelines(self._writer.pieces())
            self._part(WHOLE).replace(self._path)

    def close(self) -> None:
        """Remove what was written on the way."""
        with folder_errors(self._path):
            for spool in self._spools:
                spool.close()
            for name in (*SPOOLS, WHOLE):
                self._part(name).unlink(missing_ok=True)

    def _part(self, name: str) -> Path:
        return self._path.with_name(f"{KEPT}.{name}{PARTIAL}")
