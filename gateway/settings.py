"""The settings of the gateway."""

import tempfile
from pathlib import Path

from pydantic import Field, FilePath, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.settings import Folders


class GatewaySettings(BaseSettings):
    """Everything about the gateway that a deployment decides; from the environment, with ``YMIR_`` before the name."""

    model_config = SettingsConfigDict(env_prefix="YMIR_", frozen=True, use_attribute_docstrings=True)

    link_key: SecretStr
    """The key that signs links to images; whoever has it can make links to any image."""
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: NonNegativeInt = 8080
    """The port to listen on."""
    admin_key: SecretStr | None = None
    """An API key of an administrator, which is made known at start."""
    public_url: str = "http://127.0.0.1:8080"
    """How clients and labeling tools reach the gateway."""
    link_seconds: PositiveInt = 7 * 24 * 3600
    """How long a signed link holds at least."""
    import_roots: Folders = ()
    """The folders from which imports by path may read; in the environment separated as in ``PATH``."""
    body_limit_bytes: PositiveInt = 32 * 2**20
    """The largest body of a request, uploads aside."""
    upload_limit_bytes: PositiveInt = 64 * 2**30
    """The largest upload."""
    upload_days: PositiveInt = 7
    """For how long a resumable upload can be gone on with after it was begun."""
    upload_stall_seconds: PositiveFloat = 60.0
    """After how long without a byte the request of a resumable upload is ended; what came until then is kept."""
    spool: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()))
    """Where uploads are put together; the system's folder for temporary files unless it is set."""
    page_items: PositiveInt = 50
    """How many items a page has, unless the request says."""
    page_items_at_most: PositiveInt = 1_000
    """The largest page."""
    requests_per_second: PositiveFloat = 1_000.0
    """How many requests a key may make, on average."""
    burst: PositiveInt = 2_000
    """How many requests a key may make at once."""
    key_cache_seconds: float = Field(default=5.0, ge=0)
    """How long a removed key may still work."""
    request_takeover_seconds: float = Field(default=60.0, ge=0)
    """After how long a request that another process never ended may be made again under its idempotency key.

    0 where there is no other process: what a former one left unfinished then is made again at once.
    """
    streams_at_most: PositiveInt = 1_000
    """How many streams of events may be open at once."""
    heartbeat_seconds: PositiveFloat = 15.0
    """After how long without an event a stream says that it is still there, and looks whether its key is."""
    draw_at_once: PositiveInt = 2
    """How many thumbnails are drawn at the same time."""
    draw_font: FilePath | None = None
    """A font file for the names of classes on drawn pictures; the built-in font has Latin letters alone."""
    thumbnail_cache_bytes: PositiveInt = 64 * 2**20
    """How many bytes of drawn thumbnails are remembered."""
    errand_seconds: PositiveFloat = 10.0
    """How long a doorbell beside a request may take; the sweep rings for those that took longer."""
