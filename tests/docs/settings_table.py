"""The table of settings in docs/settings.md, made of the classes that read them: ``make docs`` writes it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import to_json
from pydantic_settings import BaseSettings

from gateway.settings import GatewaySettings
from storage.labeling.settings import LabelingSettings
from storage.settings import StoreSettings
from workers.executors.docker_settings import DockerSettings
from workers.importing.settings import ImportSettings
from workers.settings import WorkerSettings

PAGE: Final = Path(__file__).parents[2] / "docs" / "settings.md"
CLASSES: Final[Mapping[str, type[BaseSettings]]] = {
    "Stores: the gateway and every worker": StoreSettings,
    "Gateway": GatewaySettings,
    "Worker": WorkerSettings,
    "Containers of executors: workers, and `ymir serve`": DockerSettings,
    "Labeling: the gateway, every worker, and `ymir serve`": LabelingSettings,
    "Imports: workers, and `ymir serve`": ImportSettings,
}
HEAD: Final = """\
# Settings

Read from the environment, once, when a process starts; what is wrong with them is said by name, and no value is ever
shown. Lists of folders are separated as in `PATH`. `ymir serve` reads those of the worker, of imports and of labeling
too, and sets the others itself.

`YMIR_MONGO_CLIENT` is `motor`, or `pymongo` for its successor.
"""


def page() -> str:
    """Return docs/settings.md as it has to be."""
    return "\n".join([HEAD, *(line for title, kind in CLASSES.items() for line in _section(title, kind))])


def _section(title: str, kind: type[BaseSettings]) -> Iterator[str]:
    yield from (f"## {title}", "", "| variable | default | what it says |", "|---|---|---|")
    prefix = kind.model_config.get("env_prefix", "")
    for name, field in kind.model_fields.items():
        told = " ".join((field.description or "").split()).replace("``", "`").replace("|", "\\|")
        yield f"| `{prefix}{name.upper()}` | {_default(field)} | {told} |"
    yield ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    value: Any = None if field.default_factory else field.get_default()
    if isinstance(value, SecretStr) or value in ((), "", None):
        return ""
    return f"`{value}`" if isinstance(value, str | int | float | Path) else f"`{to_json(value).decode()}`"


if __name__ == "__main__":
    PAGE.write_text(page())
