"""The blobs of a data folder: its own folder of them, and those beside it."""

from collections.abc import Callable
from pathlib import Path

from client.data_folder import BLOBS
from client.places import has_places, other_users, read_places, watched_places
from schemas.places import Places
from storage.folder import FolderBlobs
from storage.folder_placed import PlacedBlobs
from storage.ports import Blobs


def blobs_of(data: Path) -> Blobs:
    """Return all blobs of a data folder."""
    if not has_places(data):
        return FolderBlobs(data / BLOBS)
    return PlacedBlobs(data / BLOBS, places=watched_places(data))


def own_blobs_of(data: Path, *, tell: Callable[[str], None]) -> Blobs:
    """Return the blobs that no other data folder can name, and tell of the folders that are left out for that."""
    if not has_places(data):
        return FolderBlobs(data / BLOBS)
    places = read_places(data)
    own = _own(places, tell=tell)
    kept = {kind: tuple(one for one in getattr(places, kind) if one in own) for kind in ("images", "models")}
    return PlacedBlobs(data / BLOBS, places=lambda: places.model_copy(update=kept))


def roots_of(data: Path) -> list[Path]:
    """Return every folder in which blobs of a data folder lie."""
    return [data / BLOBS, *(read_places(data).folders if has_places(data) else ())]


def _own(places: Places, *, tell: Callable[[str], None]) -> set[Path]:
    own = set()
    for folder in places.folders:
        others = other_users(folder, places)
        if others:
            tell(f"{folder} is used by {', '.join(others)} as well: nothing is removed there")
        else:
            own.add(folder)
    return own
