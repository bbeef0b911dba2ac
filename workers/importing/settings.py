"""Settings of imports."""

from typing import Final

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.settings import Folders
from workers.archives import ArchiveLimits

GIBIBYTE: Final = 1 << 30


class ImportSettings(BaseSettings):
    """What an import may read, and how much; each is read from the environment, ``YMIR_`` before its name."""

    model_config = SettingsConfigDict(env_prefix="YMIR_", frozen=True, use_attribute_docstrings=True, extra="ignore")

    import_roots: Folders = ()
    """Folders of the server below which an import may name paths; in the environment separated as in ``PATH``."""
    image_pixels: PositiveInt = 200_000_000
    """How many pixels an image may have; more is not even decoded."""
    image_bytes: PositiveInt = GIBIBYTE
    """How many bytes the file of an image may have."""
    archive_bytes: PositiveInt = 200 * GIBIBYTE
    """How many bytes the members of an archive may have together."""
    archive_ratio: PositiveFloat = 200.0
    """How many times its own size an archive may unpack to, beyond the first 100 MiB."""
    archive_members: PositiveInt = 3_000_000
    """How many members an archive may have."""
    put_at_once: PositiveInt = Field(default=128, le=1_000)
    """How many images are being stored at a time."""

    @property
    def archive_limits(self) -> ArchiveLimits:
        """How much may come out of an archive."""
        return ArchiveLimits(self.archive_bytes, self.archive_ratio, self.archive_members)
