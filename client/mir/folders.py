"""The folders that commands name for images and models: they are those in which the blobs lie."""

import os
from pathlib import Path

from client.mir.repository import Repository
from client.mir.telling import tell
from client.places import use_folder


def use_folders(repository: Repository, *, images: str | None = None, models: str | None = None) -> None:
    """Keep new images and models in these folders from now on; raise Invalid if one is not there."""
    if os.environ.get("YMIR_URL"):
        if images or models:
            tell("images and models are kept by the service: its folders are used, not those that are named here")
        return
    if images is not None:
        use_folder(repository.data, "images", Path(images))
    if models is not None:
        use_folder(repository.data, "models", Path(models))
