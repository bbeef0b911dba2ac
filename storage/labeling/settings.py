"""The labeling tools of a deployment: the same for the gateway and for every worker."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, PositiveFloat, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.schema import Name
from schemas.web_addresses import checked_web_address

API = "api"
"""The tool that is always there: whoever calls the API."""


class ToolKind(StrEnum):
    """Whose API a labeling tool speaks."""

    LABEL_STUDIO = "label_studio"
    LABEL_FREE = "label_free"


class ToolSettings(BaseModel):
    """A labeling tool, and as whom it is used."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: ToolKind
    url: Annotated[str, AfterValidator(checked_web_address)]
    """``https://host:port``."""
    token: SecretStr
    hook_secret: SecretStr | None = None
    """``whsec_…``: hooks are refused unless they are signed by it as Standard Webhooks has it."""


class LabelingSettings(BaseSettings):
    """Which labeling tools there are; each is read from the environment, ``YMIR_`` before its name."""

    model_config = SettingsConfigDict(
        env_prefix="YMIR_", env_ignore_empty=True, frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    labeling_tools: dict[Name, ToolSettings] = {}
    """The tools that label tasks may name, as JSON:
    ``{"studio": {"kind": "label_studio", "url": "https://host:8080", "token": "…"}}``."""
    public_url: str = "http://127.0.0.1:8080"
    """How labeling tools reach the gateway."""
    labeling_poll_seconds: PositiveFloat = 60.0
    """How often a tool is asked how far it is, whatever its hooks told."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a label task may give as its tool."""
        return (API, *self.labeling_tools)
