"""The service answers as its description says: to requests that are made up from the description itself."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.tus import CHUNK
from schemas.events import EventType
from tests.gateway.api import JSON, Api
from tests.gateway.world import PROJECT, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EXAMPLES: Final = 6
"""Requests for each operation that have the form it describes, and as many that have not."""
HELD: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
LONGEST: Final = 4_000
"""Letters of an address: one above aiohttp's 8190 is no HTTP to it, and refused before anything of ours sees it."""

Known = Mapping[str, tuple[str, ...]]
"""What there is, by the name of the part of an address that means it."""


async def test_every_answer_is_one_that_is_described(api: Api, world: World) -> None:
    known = await stocked(api, world)
    schemathesis.serializer.alias(CHUNK, "application/octet-stream")
    described = schemathesis.openapi.from_dict(await api.get("/openapi.json"))
    where = str(api.client.make_url("")).rstrip("/")

    def explore() -> dict[str, str]:
        wrong: dict[str, str] = {}
        for result in described.get_all_operations():
            operation = result.ok()  # type: ignore[union-attr]  # one that it could not read would be no Ok
            for mode in GenerationMode:
                try:
                    ask(operation, mode, known, where, api.secret)
                except (AssertionError, BaseExceptionGroup) as error:
                    wrong[f"{operation.label}, {mode}"] = str(error)[:600]
        return wrong

    assert await asyncio.to_thread(explore) == {}


def ask(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, known: Known, where: str, key: str) -> None:
    """Ask for one operation in several ways; raise if an answer is not one that is described."""

    @given(operation.as_strategy(generation_mode=mode), st.data())
    @settings(
        max_examples=EXAMPLES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    def each(case: Case[Any], data: st.DataObject) -> None:
        for name in case.path_parameters:
            if name in known:
                case.path_parameters[name] = data.draw(st.sampled_from((*known[name], case.path_parameters[name])))
        if "event-stream" in str(case.headers.get("Accept", "")) or len(urlencode(case.query, doseq=True)) > LONGEST:
            return
        case.call_and_validate(base_url=where, headers={"Authorization": f"Bearer {key}"}, checks=HELD)

    with suppress(Unsatisfiable):  # whatever is sent to it has the form it describes
        each()


async def stocked(api: Api, world: World) -> Known:
    """Put one of each kind into the world, and return what they are called."""
    version = await world.version()
    job, model, evaluation = await world.job(version), await world.model(), await world.evaluation(version)
    executor = await world.executor()
    task = await api.post(f"/v1/projects/{PROJECT}/tasks", SAMPLE, expect=202)
    webhook = await api.post(
        "/v1/webhooks", {"url": "https://example.org/", "types": [EventType.TASK_FAILED]}, expect=201
    )
    await api.post(f"/v1/webhooks/{webhook['id']}/test", expect=202)
    [delivery] = (await api.get(f"/v1/webhooks/{webhook['id']}/deliveries"))["items"]
    [asset, *_] = (await api.get(f"/v1/projects/{PROJECT}/datasets/pool/versions/1/assets"))["items"]
    ids = (task["id"], webhook["id"], job.id, model.id, evaluation.id)
    return {
        "project": (PROJECT,) * 3,
        "name": ("pool", "robin", executor.name),
        "ref": ("1",),
        "id": ids,
        "asset": (asset["asset"],),
        "delivery": (delivery["id"],),
        "token": (job.token,),
        "tool": ("api",),
        "number": ("1",),
    }


SAMPLE: Final[JSON] = {"type": "sample", "dataset": "few", "source": "pool", "count": 1}
