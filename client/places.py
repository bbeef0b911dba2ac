"""The folders beside a data folder: which they are, remembered in it; and who uses each of them, noted there."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from schemas.errors import Invalid
from schemas.places import Places
from schemas.schema import new_id

PLACES: Final = "places.json"
USERS: Final = "repositories"


def start_places(data: Path) -> None:
    """Let a data folder have folders beside it."""
    _keep(data, Places(repository=new_id()))


def has_places(data: Path) -> bool:
    """Return whether a data folder may have folders beside it."""
    return (data / PLACES).exists()


def read_places(data: Path) -> Places:
    """Return the folders beside a data folder; raise Invalid if they cannot be read."""
    try:
        return Places.model_validate_json((data / PLACES).read_bytes())
    except (OSError, ValueError) as error:
        message = f"{data / PLACES} cannot be read: {str(error).splitlines()[0]}."
        raise Invalid(message, step="Restore it from a back-up: it says where images and models lie.") from error


def watched_places(data: Path) -> Callable[[], Places]:
    """Return what gives the folders as they are now: another process may add some."""
    path, read_at, places = data / PLACES, 0, read_places(data)

    def now() -> Places:
        nonlocal read_at, places
        changed_at = path.stat().st_mtime_ns
        if changed_at != read_at:
            read_at, places = changed_at, read_places(data)
        return places

    return now


def use_folder(data: Path, kind: Literal["images", "models"], folder: Path) -> None:
    """Put new blobs of a kind into a folder from now on; raise Invalid if there is none or it cannot be written to."""
    folder = folder.expanduser().absolute()
    if not folder.is_dir():
        raise Invalid(f"There is no folder {folder}.", step=f"Make it first: mkdir -p {folder}")
    with (data / f"{PLACES}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        places = read_places(data)
        known: tuple[Path, ...] = getattr(places, kind)
        _note_user(folder, data, places)
        if known[:1] != (folder,):
            others = tuple(one for one in known if one != folder)
            _keep(data, places.model_copy(update={kind: (folder, *others)}))


def other_users(folder: Path, places: Places) -> list[str]:
    """Return the data folders of others that a folder was given to as well."""
    notes = sorted((folder / USERS).glob("*")) if (folder / USERS).is_dir() else []
    return [note.read_text().strip() for note in notes if note.name != places.repository]


def _note_user(folder: Path, data: Path, places: Places) -> None:
    note = folder / USERS / places.repository
    try:
        note.parent.mkdir(exist_ok=True)
        if not note.exists() or note.read_text().strip() != str(data.absolute()):
            note.write_text(f"{data.absolute()}\n")
    except OSError as error:
        message = f"The folder {folder} cannot be written to: {error.strerror}."
        raise Invalid(message, step="Choose a folder of yours.") from error


def _keep(data: Path, places: Places) -> None:
    draft = data / f"{PLACES}.{os.getpid()}"
    draft.write_text(places.model_dump_json(indent=1))
    draft.replace(data / PLACES)
