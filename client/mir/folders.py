"""The folders that commands name for images and models: they are those in which the blobs lie."""

import os
from collections.abc import Sequence
from pathlib import Path

from client.mir.codes import Code, MirError
from client.mir.repository import Repository
from client.mir.telling import tell
from client.places import has_places, read_places, use_folder


def use_folders(repository: Repository, *, images: str | None = None, models: str | None = None) -> None:
    """Keep new images and models in these folders from now on.

    Raise Invalid if one is not there, MirError if one that was given before has gone.
    """
    if os.environ.get("YMIR_URL"):
        if images or models:
            tell("images and models are kept by the service: its folders are used, not those that are named here")
        return
    if images is not None:
        use_folder(repository.data, "images", Path(images))
    if models is not None:
        use_folder(repository.data, "models", Path(models))
    if has_places(repository.data):
        _check(read_places(repository.data).folders)


def _check(folders: Sequence[Path]) -> None:
    for folder in folders:
        if not folder.is_dir():
            message = f"the folder {folder}, in which images or models of this repository lie, is gone"
            raise MirError(Code.INVALID_FILE, message, step="Bring it back (is its disk mounted?).")
