"""The files of a folder, in a fixed order, and the split that a path speaks of."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from schemas.splits import Split
from workers.formats.format import Listing
from workers.formats.paths import Keyed, Paths

IMAGE_SUFFIXES: Final = frozenset({".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

# What packers and desktops leave behind, and no one means.
_LEFT_BEHIND: Final = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
_SPLITS: Final = (
    (re.compile(r"(?<![a-z])(training|train)(?![a-z])"), Split.TRAINING),
    (re.compile(r"(?<![a-z])(validation|valid|val)(?![a-z])"), Split.VALIDATION),
    (re.compile(r"(?<![a-z])(testing|test)(?![a-z])"), Split.TEST),
)


def list_files(folder: Path, *, roots: Sequence[Path] = (), scratch: Path | None = None) -> Listing:
    """Return the files below a folder, sorted; hidden ones are left out.

    A link is followed to a file that lies in the folder itself or under one of ``roots``; others are listed only,
    as is what is no file.
    ``scratch`` is where the lists may lie, and what a format writes down.
    """
    images: list[str] = []
    others: list[str] = []
    links: list[str] = []
    no_files: list[str] = []
    allowed = [folder.resolve(), *(root.resolve() for root in roots)]
    start = len(os.path.join(folder, ""))  # noqa: PTH118 - what comes before the name of each
    for entry in _walk(folder):
        name = entry.path[start:]
        if entry.is_symlink() and not _is_inside(Path(entry.path), allowed):
            links.append(name)
        elif not entry.is_file():
            no_files.append(name)
        elif os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122 - a Path for each of a million
            images.append(name)
        else:
            others.append(name)
    kept = partial(Paths, scratch=scratch)
    return Listing(folder, kept(sorted(images)), kept(sorted(others)), sorted(links), scratch, sorted(no_files))


@lru_cache(maxsize=10_000)
def split_of(path: str) -> Split | None:
    """Return the split that a path names in one of its parts, nearest to the file; None where it names none."""
    for part in reversed(path.lower().split("/")):
        named = [split for pattern, split in _SPLITS if pattern.search(part)]
        if len(named) == 1:
            return named[0]
    return None


def folder_of(path: str) -> str:
    """Return the part of a path before its last ``/``."""
    return path.rpartition("/")[0]


def base_name(path: str) -> str:
    """Return the part of a path after its last ``/``."""
    return path.rpartition("/")[2]


def stem_of(path: str) -> str:
    """Return a path without the suffix of its file."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def _walk(folder: Path) -> Iterator["os.DirEntry[str]"]:
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _LEFT_BEHIND:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    yield entry


def _is_inside(link: Path, allowed: Sequence[Path]) -> bool:
    target = link.resolve()
    return target.is_file() and any(target.is_relative_to(folder) for folder in allowed)


class ImageNames:
    """Finds the image that a file of annotations names: by the end of its path, else by its name alone."""

    def __init__(self, images: Sequence[str]) -> None:
        self._images = images
        self._by_name = Keyed(images, base_name)
        self._by_stem: Keyed | None = None

    def find(self, named: str, *, near: str) -> tuple[str, ...]:
        """Return the images that may be meant: none, the one, or several that cannot be told apart.

        ``near`` is the file that names it: of several, those of its own folder or split are meant.
        """
        return tuple(self._images[position] for position in self.positions(named, near=near))

    def positions(self, named: str, *, near: str) -> tuple[int, ...]:
        """Return the positions of the images that may be meant, as ``find`` does."""
        path = named.replace("\\", "/").removeprefix("./")
        return self._chosen(self._by_name.find(base_name(path)), path, near, as_named=str)

    def find_stem(self, named: str, *, near: str) -> tuple[str, ...]:
        """Return the images that may be meant by a name without a suffix, as ``find`` does."""
        if self._by_stem is None:
            self._by_stem = Keyed(self._images, lambda image: base_name(stem_of(image)))
        path = named.replace("\\", "/").removeprefix("./")
        found = self._chosen(self._by_stem.find(base_name(path)), path, near, as_named=stem_of)
        return tuple(self._images[position] for position in found)

    def _chosen(self, found: list[int], path: str, near: str, *, as_named: Callable[[str], str]) -> tuple[int, ...]:
        if len(found) < 2:  # noqa: PLR2004 - two cannot be told apart
            return tuple(found)
        places = {self._images[position]: position for position in found}
        return tuple(places[image] for image in _meant(tuple(places), path, near, as_named=as_named))


def _meant(candidates: tuple[str, ...], path: str, near: str, *, as_named: Callable[[str], str]) -> tuple[str, ...]:
    folder, split = folder_of(near), split_of(near)
    groups = (
        tuple(image for image in candidates if as_named(image) == path or as_named(image).endswith("/" + path)),
        tuple(image for image in candidates if folder and image.startswith(folder + "/")),
        tuple(image for image in candidates if split and split_of(folder_of(image)) is split),
    )
    for group in map(frozenset, groups):
        candidates = tuple(image for image in candidates if image in group) or candidates
    return candidates
