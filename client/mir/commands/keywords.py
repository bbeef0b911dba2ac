"""Keywords that users gave to images (attributes of whole images): ``-c`` keeps those with any, ``-C`` with none."""

from argparse import Namespace
from typing import Any, Final, NamedTuple

from pydantic import JsonValue

from client.mir.codes import Code, MirError
from client.mir.running import Run
from schemas.datasets import Version
from schemas.statistics import VersionStatistics

ATTRIBUTES: Final = "attributes"


class Keyword(NamedTuple):
    """An attribute and one of the values that it has."""

    name: str
    value: JsonValue


async def narrowed(run: Run, version: Version, given: Namespace) -> Version:
    """Return the part of a version with any of the keywords of ``-c`` and none of those of ``-C``; raise MirError."""
    include, exclude = _asked(given.cks), _asked(given.ex_cks)
    if not (include or exclude):
        return version
    known = await _known(run, version)
    wanted, unwanted = (_meant(asked, known, given) for asked in (include, exclude))
    apart = f"{run.to.branch}-keywords"[:100]
    if include:
        parts = [await _having(run, version, keyword, apart) for keyword in wanted]
        version = await _made(run, {"type": "merge", "dataset": apart, "sources": parts, "strategy": "host"})
    if unwanted:
        refs = [(await _having(run, version, keyword, apart))["ref"] for keyword in unwanted]
        version = await _made(run, {"type": "exclude", "dataset": apart, "source": _ref(version), "exclude": refs})
    return version


async def forget(run: Run, given: Namespace) -> None:
    """Hide what was only made on the way."""
    name = f"{run.to.branch}-keywords"[:100]
    if (given.cks or given.ex_cks) and name in await run.session.datasets():
        await run.session.hide(name)


def _asked(text: str | None) -> list[str]:
    return [keyword.strip() for keyword in (text or "").split(";") if keyword.strip()]


async def _known(run: Run, version: Version) -> list[Keyword]:
    path = f"{run.session.path}/datasets/{version.dataset_name}/versions/{version.number}/stats"
    statistics = await run.session.client.get(VersionStatistics, path)
    layer = statistics.layers.get(ATTRIBUTES)
    found = layer.attributes if layer is not None else ()
    return [Keyword(one.name, value.value) for one in found for value in one.values]


def _meant(asked: list[str], known: list[Keyword], given: Namespace) -> list[Keyword]:
    """Return the keywords that ``name`` (with any value) and ``name:value`` mean; raise MirError for unknown ones."""
    meant: list[Keyword] = []
    for text in asked:
        name, colon, value = (part.strip() for part in text.partition(":"))
        found = [one for one in known if one.name == name and (not colon or _text(one.value) == value)]
        if not found:
            names = ", ".join(sorted({one.name for one in known})) or "none"
            message = f"no image of {given.src_revs} has the keyword {text!r}"
            raise MirError(Code.INVALID_ARGS, message, step=f"Keywords that its images have: {names}.")
        meant += found
    return meant


def _text(value: JsonValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


async def _having(run: Run, version: Version, keyword: Keyword, apart: str) -> dict[str, str]:
    asked = {"layers": [ATTRIBUTES], "attributes": {keyword.name: keyword.value}}
    return {"ref": _ref(await _made(run, {"type": "filter", "dataset": apart, "source": _ref(version), **asked}))}


async def _made(run: Run, parameters: dict[str, Any]) -> Version:
    result = (await run.task(parameters, share=(0.0, 0.5))).result
    return await run.session.client.get(
        Version, f"{run.session.path}/datasets/{result.dataset}/versions/{result.number}"
    )


def _ref(version: Version) -> str:
    return f"{version.dataset_name}@{version.number}"
