"""Places: the folders beside a data folder in which its images and model packages lie."""

from pathlib import Path
from typing import Final

from schemas.schema import Id, Schema

IMAGE_TYPES: Final = "image/"
PACKAGE_MEDIA_TYPE: Final = "application/vnd.ymir.model+gzip"
"""That of model packages: a tar.gz with ``ymir-info.yaml``."""


class Places(Schema):
    """Where the blobs of a data folder lie if not in it; of several folders the first takes what is new."""

    repository: Id
    """What tells the users of a shared folder apart."""
    images: tuple[Path, ...] = ()
    models: tuple[Path, ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys((*self.images, *self.models)))

    def for_type(self, media_type: str) -> Path | None:
        """Return the folder for new blobs of a media type; None for the data folder's own."""
        if media_type.startswith(IMAGE_TYPES):
            return self.images[0] if self.images else None
        if media_type == PACKAGE_MEDIA_TYPE:
            return self.models[0] if self.models else None
        return None
