"""What a reference to an executor names: a folder of this machine, or an image."""

from pathlib import Path

from schemas.errors import Invalid


def folder_named(reference: str) -> Path | None:
    """Return the folder that a reference names, None for an image; raise Invalid for what looks like a folder."""
    folder = Path(reference).absolute()
    if folder.is_dir():
        return folder
    if reference.startswith((".", "/", "~")):
        raise Invalid(f"There is no folder {reference!r}.", step="Correct the path.")
    return None
