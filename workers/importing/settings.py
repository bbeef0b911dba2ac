"""Settings of imports."""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.schema import Name
from schemas.web_addresses import checked_web_address
from storage.public_addresses import Networks
from storage.settings import Folders
from workers.archives import ArchiveLimits

GIBIBYTE: Final = 1 << 30


def _whole_folder(url: str) -> str:
    if not checked_web_address(url).endswith("/"):
        message = "an address that others begin with ends in a slash: https://host/ or https://host/folder/"
        raise ValueError(message)
    return url


class S3Server(BaseModel):
    """An S3 server that imports may read from, and as whom."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, AfterValidator(checked_web_address)]
    """``https://host:port``, without a bucket."""
    access_key: str
    secret_key: SecretStr
    region: str = "us-east-1"
    prefixes: Annotated[tuple[str, ...], Field(min_length=1)]
    """What may be read, each ``bucket/`` or ``bucket/folder/``."""


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
    infer_pictures: PositiveInt = 1_000
    """How many uploaded pictures an inference takes at once."""
    put_at_once: PositiveInt = Field(default=128, le=1_000)
    """How many images are being stored at a time."""
    download_bytes: PositiveInt = 64 * GIBIBYTE
    """How many bytes a source that is downloaded may have: a file of a URL, or all objects of an S3 prefix."""
    download_seconds: PositiveFloat = 6 * 3600.0
    """How long the download of a URL may take in all."""
    download_stall_seconds: PositiveFloat = 60.0
    """After how long without a byte a connection counts as broken."""
    download_connect_seconds: PositiveFloat = 10.0
    """How long a connection may take to come about."""
    download_authorization: dict[Annotated[str, AfterValidator(_whole_folder)], SecretStr] = {}
    """What is sent as ``Authorization`` to URLs below an address, as JSON: ``{"https://host/folder/": "Bearer …"}``."""
    private_networks: Networks = ()
    """Networks that are not public and may be downloaded from all the same: ``10.1.0.0/16,fd00:1::/64``."""
    import_s3: dict[Name, S3Server] = {}
    """S3 servers that imports may read from, each under a name of its own, as JSON:
    ``{"lake": {"url": "https://host", "access_key": "…", "secret_key": "…", "prefixes": ["bucket/folder/"]}}``."""
    s3_at_once: PositiveInt = Field(default=16, le=200)
    """How many objects of an S3 prefix are fetched at a time."""

    @property
    def archive_limits(self) -> ArchiveLimits:
        """How much may come out of an archive."""
        return ArchiveLimits(self.archive_bytes, self.archive_ratio, self.archive_members)
