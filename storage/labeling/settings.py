"""The labeling tools of a deployment: the same for the gateway and for every worker."""

from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, PositiveFloat, SecretStr, model_validator
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
    folder: Path | None = None
    """For LabelFree: a folder that every worker and LabelFree see, as the workers do."""
    folder_in_tool: PurePosixPath | None = None
    """The same folder as LabelFree sees it."""

    @property
    def folders(self) -> tuple[Path, PurePosixPath]:
        """The folder as the workers see it, and as LabelFree does; raise ValueError where it is not set."""
        there, in_tool = self.folder, self.folder_in_tool
        if there is None or in_tool is None or not there.is_absolute() or not in_tool.is_absolute():
            message = (
                f"{ToolKind.LABEL_FREE} needs two absolute paths of one folder: folder, as the workers see it, and "
                "folder_in_tool, as LabelFree does"
            )
            raise ValueError(message)
        return there, in_tool

    @model_validator(mode="after")
    def _has_its_folder(self) -> Self:
        if self.kind is ToolKind.LABEL_FREE:
            _ = self.folders
        elif self.folder is not None or self.folder_in_tool is not None:
            message = f"folder and folder_in_tool are for {ToolKind.LABEL_FREE}; {self.kind} gets images by links"
            raise ValueError(message)
        return self


class LabelingSettings(BaseSettings):
    """Which labeling tools there are; each is read from the environment, ``YMIR_`` before its name."""

    model_config = SettingsConfigDict(
        env_prefix="YMIR_", env_ignore_empty=True, frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    labeling_tools: dict[Name, ToolSettings] = {}
    """The tools that label tasks may name, as JSON:
    ``{"studio": {"kind": "label_studio", "url": "https://host:8080", "token": "…"}}``; one of the kind ``label_free``
    has ``folder`` and ``folder_in_tool`` as well."""
    public_url: str = "http://127.0.0.1:8080"
    """How labeling tools reach the gateway."""
    labeling_poll_seconds: PositiveFloat = 60.0
    """How often a tool is asked how far it is, whatever its hooks told."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a label task may give as its tool."""
        return (API, *self.labeling_tools)
