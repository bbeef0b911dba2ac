"""An archive of annotations, as an export makes it: its files, and which image is called what."""

import json
import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from client.mir.codes import Code, MirError

ANNOTATIONS: Final = "annotations"
NAMES: Final = "names.jsonl"


class Exported(NamedTuple):
    """What an archive held, unpacked."""

    folder: Path
    files: tuple[str, ...]
    names: dict[str, str]
    """The asset of each image, by the name that the annotations know it under."""

    def move_to(self, folder: Path) -> None:
        """Move the files into another folder, in the place of those of the same names."""
        for name in self.files:
            target = folder / _shortened(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self.folder / name, target)

    def labels_of(self, image: str) -> str | None:
        """Return the file with the annotations of an image, within the folder they were moved to."""
        stem = PurePosixPath(image).stem
        short = [_shortened(name) for name in self.files]
        own = self._by_stem.get(stem)
        return own or (short[0] if len(short) == 1 else None)

    @property
    def _by_stem(self) -> dict[str, str]:
        return {PurePosixPath(name).stem: _shortened(name) for name in self.files}


def unpacked(archive: Path, to: Path) -> Exported:
    """Unpack an archive into a new folder; raise MirError if it names something outside of it."""
    files: list[str] = []
    names: dict[str, str] = {}
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            path = PurePosixPath(member.filename)
            if path.is_absolute() or ".." in path.parts:
                raise MirError(Code.ERROR_UNKNOWN, f"the archive of the export names {member.filename!r}")
            if member.filename == NAMES:
                images = [json.loads(line) for line in packed.read(member).splitlines()]
                names = {PurePosixPath(image["name"]).name: image["asset"] for image in images}
            elif not member.is_dir():
                packed.extract(member, to)
                files.append(member.filename)
    return Exported(to, tuple(files), names)


def _shortened(name: str) -> str:
    return name.removeprefix(f"{ANNOTATIONS}/")
