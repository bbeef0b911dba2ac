"""The inbox: what labeling tools tell is kept once, whatever it is."""

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr
from standardwebhooks import Webhook as Signer

from gateway.app import build_app
from gateway.services import Services
from schemas.labeling import JobState, LabelingJob
from schemas.service_parameters import ReceiveParameters
from schemas.tasks import Task
from storage.labeling.links import image_link
from storage.labeling.settings import LabelingSettings, ToolKind, ToolSettings
from storage.ports import Query
from tests.factories import NOON
from tests.gateway.api import Api
from tests.gateway.test_labeling import asset
from tests.gateway.world import World, a_picture

SECRET = "whsec_" + "c2VjcmV0" * 4
BODY = b'{"action": "ANNOTATION_CREATED", "task": {"id": 1}}'


@pytest.fixture
async def job(world: World) -> LabelingJob:
    return await world.job(await world.version(), tool="studio")


def path(job: LabelingJob, *, tool: str = "studio", key: str = "") -> str:
    return f"/v1/hooks/{tool}/{key or job.token}"


async def received(services: Services) -> list[Task]:
    tasks = services.database.documents(Task)
    return [*(await tasks.list(Query(equal={"parameters.type": "receive"}), limit=500)).items]


async def test_what_a_tool_tells_is_kept_and_answered_at_once(api: Api, job: LabelingJob) -> None:
    answer = await api.bearing("").raw("POST", path(job), data=BODY, headers={})

    assert answer.status == 202
    (task,) = await received(api.services)
    assert task.id == (await answer.json())["delivery"]
    assert task.parameters == ReceiveParameters(job=job.id, body=BODY.decode())


async def test_the_same_told_five_times_is_one_task_and_another_is_another(api: Api, job: LabelingJob) -> None:
    for _ in range(5):
        answer = await api.bearing("").raw("POST", path(job), data=BODY, headers={})
        assert answer.status == 202
    await api.bearing("").raw("POST", path(job), data=BODY + b" ", headers={})

    assert len(await received(api.services)) == 2


async def test_an_id_that_the_tool_gives_is_that_of_the_delivery(api: Api, job: LabelingJob) -> None:
    for body in (BODY, BODY + b" "):
        await api.bearing("").raw("POST", path(job), data=body, headers={"webhook-id": "msg_1"})

    assert len(await received(api.services)) == 1


@pytest.mark.parametrize("body", [b"", b"no JSON", b"\xff\xfe\x00", b"[1, 2", b"x" * 100_000])
async def test_whatever_is_told_is_kept(api: Api, job: LabelingJob, body: bytes) -> None:
    answer = await api.bearing("").raw("POST", path(job), data=body, headers={})

    assert answer.status == 202
    (task,) = await received(api.services)
    parameters = task.parameters
    assert isinstance(parameters, ReceiveParameters)
    if parameters.blob is not None:
        assert await api.services.blobs.get(parameters.blob.digest) == body


async def test_what_is_too_long_is_refused(api: Api, job: LabelingJob) -> None:
    answer = await api.bearing("").raw("POST", path(job), data=BytesIO(b"x" * (2**20 + 1)), headers={})

    assert answer.status == 413
    assert await received(api.services) == []


async def test_addresses_of_no_job_and_of_another_tool_are_not_found(api: Api, job: LabelingJob) -> None:
    for wrong in (path(job, key="guessed"), path(job, tool="other"), path(job, tool="%F0%9F%98%80")):
        answer = await api.bearing("").raw("POST", wrong, data=BODY, headers={})
        assert answer.status == 404

    assert await received(api.services) == []


async def test_a_closed_job_hears_nothing_and_says_so_to_nobody(api: Api, job: LabelingJob) -> None:
    jobs = api.services.database.documents(LabelingJob)
    await jobs.replace(job.successor(state=JobState.CLOSED, closed_at=NOON), was=job)

    answer = await api.bearing("").raw("POST", path(job), data=BODY, headers={})

    assert answer.status == 202
    assert await received(api.services) == []


async def test_where_a_secret_is_set_only_what_is_signed_is_kept(services: Services, job: LabelingJob) -> None:
    tool = ToolSettings(
        kind=ToolKind.LABEL_STUDIO, url="http://tool", token=SecretStr("token"), hook_secret=SecretStr(SECRET)
    )
    services = replace(services, labeling=LabelingSettings(labeling_tools={"studio": tool}))
    at = datetime.now(tz=UTC)
    signed = {
        "webhook-id": "msg_2",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Signer(SECRET).sign("msg_2", at, BODY.decode()),
    }

    async with TestClient(TestServer(build_app(services))) as client:
        statuses = [
            (await client.post(path(job), data=body, headers=headers)).status
            for body, headers in ((BODY, {}), (BODY + b" ", signed), (BODY, signed))
        ]

    assert statuses == [401, 401, 202]
    assert len(await received(services)) == 1


async def test_images_are_sent_to_whoever_has_the_link_until_the_job_is_closed(api: Api, job: LabelingJob) -> None:
    link = image_link("", job, asset(10))
    forged = [image_link("", job, asset(20)).replace(asset(20), asset(10)), link.split("?", maxsplit=1)[0]]

    image = await api.bearing("").raw("GET", link, headers={})
    refused = [(await api.bearing("").raw("GET", other, headers={})).status for other in forged]
    jobs = api.services.database.documents(LabelingJob)
    await jobs.replace(job.successor(state=JobState.CLOSED, closed_at=NOON), was=job)
    late = await api.bearing("").raw("GET", link, headers={})

    assert await image.read() == a_picture(10)
    assert image.headers["Access-Control-Allow-Origin"] == "*"
    assert refused == [403, 403]
    assert late.status == 404


async def test_an_answer_may_be_taken_back_and_one_that_comes_late_changes_nothing(api: Api, world: World) -> None:
    job = await world.job(await world.version(number=2, shades=(40, 50)), shades=(40, 50))
    address = f"/v1/projects/birds/labeling/{job.id}/annotations"
    newest = {"asset": asset(40), "state": "skipped", "revision": 3}

    await api.post(address, {"answers": [newest]})
    late = await api.post(address, {"answers": [{"asset": asset(40), "revision": 2}]})
    taken_back = await api.post(address, {"answers": [{"asset": asset(40), "state": "open", "revision": 4}]})
    shuffled = await api.post(address, {"answers": [{"asset": asset(40), "revision": 6}, {**newest, "revision": 5}]})

    assert (late["skipped"], late["labeled"]) == (1, 0)
    assert taken_back["open"] == 2
    assert (shuffled["skipped"], shuffled["labeled"]) == (0, 1)
