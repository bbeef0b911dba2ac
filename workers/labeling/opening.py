"""Opening the labeling tools that a deployment names."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

from storage.labeling.settings import LabelingSettings, ToolKind, ToolSettings
from storage.ports import Database
from workers.labeling.label_free import LabelFree
from workers.labeling.label_studio import LabelStudio
from workers.labeling.tools import LabelingTool
from workers.labeling.using import LabelingTools

Speak = Callable[[ToolSettings, ClientSession], LabelingTool]

SPOKEN: Final[Mapping[ToolKind, Speak]] = MappingProxyType(
    {ToolKind.LABEL_STUDIO: LabelStudio, ToolKind.LABEL_FREE: LabelFree}
)


@asynccontextmanager
async def labeling_tools(settings: LabelingSettings, *, database: Database) -> AsyncIterator[LabelingTools]:
    """Open the tools; what is not there is found out when it is used."""
    async with ClientSession(timeout=ClientTimeout(total=60.0), cookie_jar=DummyCookieJar()) as session:
        tools = {name: SPOKEN[tool.kind](tool, session) for name, tool in settings.labeling_tools.items()}
        yield LabelingTools(tools, settings, database)
