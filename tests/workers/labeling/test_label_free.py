"""LabelFree as a labeling tool: whole label tasks on a stand-in that takes only what is documented."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from aiohttp import ClientSession, web
from PIL import Image
from pydantic import SecretStr, ValidationError

from schemas.annotations import GROUND_TRUTH
from schemas.errors import Invalid
from schemas.exchange_parameters import LabelParameters
from schemas.labeling import ItemState, JobState, LabelingItem, LabelingJob
from schemas.outcomes import Outcome, Pause
from storage.datasets.rows import AnnotationRow, MaskRow
from storage.labeling.links import signature
from storage.labeling.settings import LabelingSettings, ToolKind, ToolSettings
from storage.ports import Query
from tests.factories import NOON
from tests.servers.process import free_port
from tests.workers.labeling.label_free_server import (
    ACCEPTED,
    IN_TOOL,
    SIZE,
    Drawn,
    LabelFreeServer,
    label_free,
    zipped,
)
from tests.workers.loop_world import CAT, World, a_world
from workers.formats.rle import mask_of
from workers.handlers.label import label
from workers.labeling.jobs import job_id
from workers.labeling.label_free import LabelFree
from workers.labeling.label_free_exporting import AGAIN
from workers.labeling.label_free_images import upright
from workers.labeling.using import LabelingTools
from workers.work import Work

BOX = (10.0, 20.0, 30.0, 40.0)
CAT_THERE = Drawn(name="cat", bbox=BOX)
SQUARE = (10.0, 20.0, 30.0, 20.0, 30.0, 50.0, 10.0, 50.0)


class Place:
    """A world whose label tasks use LabelFree, and the gateway that its images come from."""

    def __init__(self, world: World, server: LabelFreeServer, session: ClientSession, gateway: str) -> None:
        self.world = world
        self.server = server
        self.session = session
        self.gateway = gateway

    def tool(self, *, token: str = ACCEPTED, url: str = "", timeout_seconds: float = 30.0) -> LabelFree:
        settings = ToolSettings(
            kind=ToolKind.LABEL_FREE,
            url=url or self.server.url,
            token=SecretStr(token),
            folder=self.server.folder,
            folder_in_tool=PurePosixPath(IN_TOOL),
        )
        return LabelFree(settings, self.session, timeout_seconds=timeout_seconds)

    async def work(self, *labels: Iterable[AnnotationRow] | None, **changes: object) -> Work[LabelParameters]:
        content = await self.world.pictures([None if label is None else [*label] for label in labels])
        asked = {"dataset": "answers", "source": "any", "tool": "free", "classes": ("cat", "dog"), **changes}
        version = await self.world.version(content)
        return self.world.work(LabelParameters.model_validate(asked), {"/source": version})

    async def run(self, work: Work[LabelParameters], *, tool: LabelFree | None = None) -> Outcome | Pause:
        """Run the task's next step, and remember it as the consumer does."""
        world, settings = self.world, LabelingSettings(public_url=self.gateway)
        tools = LabelingTools({"free": tool or self.tool()}, settings, world.database)
        result = await label(work, library=world.library, database=world.database, blobs=world.blobs, tools=tools)
        if isinstance(result, Pause):
            work.task = work.task.model_copy(update={"step": result.step})
        return result

    async def opened(self, work: Work[LabelParameters]) -> list[str]:
        """Open the job; return the assets in the order of its items."""
        pause = await self.run(work)
        assert isinstance(pause, Pause), pause
        assert pause.waiting_for == "answers", pause
        return [item.asset for item in await self.items(work)]

    async def said(self, work: Work[LabelParameters], *, tool: LabelFree | None = None) -> str:
        """Run the next step; return what is waited for then."""
        pause = await self.run(work, tool=tool)
        assert isinstance(pause, Pause), pause
        return pause.waiting_for

    async def version(self, work: Work[LabelParameters]) -> tuple[Outcome, dict[str, tuple[AnnotationRow, ...]]]:
        """Run the last step; return its outcome and the annotations by asset."""
        outcome = await self.run(work)
        assert isinstance(outcome, Outcome), outcome
        rows = await self.world.rows(outcome)
        return outcome, {asset: row.layers[GROUND_TRUTH] for asset, row in rows.items()}

    async def items(self, work: Work[LabelParameters]) -> list[LabelingItem]:
        query = Query(equal={"job": job_id(work.task.id)})
        return list((await self.world.database.documents(LabelingItem).list(query, order="position")).items)

    async def job(self, work: Work[LabelParameters]) -> LabelingJob:
        return await self.world.database.documents(LabelingJob).get(job_id(work.task.id))

    async def close(self, work: Work[LabelParameters]) -> None:
        job = await self.job(work)
        closed = job.successor(state=JobState.CLOSED, closed_at=NOON)
        await self.world.database.documents(LabelingJob).replace(closed, was=job)

    def folder(self, work: Work[LabelParameters]) -> Path:
        return self.server.folder / f"label_{job_id(work.task.id)}"


@asynccontextmanager
async def gateway_of(world: World) -> AsyncIterator[str]:
    """Send the images of jobs to whoever has a link that is signed for them."""

    async def send(request: web.Request) -> web.Response:
        job = await world.database.documents(LabelingJob).get(request.match_info["job"])
        asset = request.match_info["asset"]
        if request.query["signature"] != signature(job, asset) or "Authorization" in request.headers:
            raise web.HTTPForbidden
        return web.Response(body=await world.blobs.get(f"sha256:{asset}"))

    app = web.Application()
    app.router.add_get("/v1/labeling/{job}/images/{asset}", send)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    (tmp_path / "shared").mkdir()
    async with (
        a_world(tmp_path) as world,
        gateway_of(world) as gateway,
        label_free(tmp_path / "shared") as server,
        ClientSession() as session,
    ):
        yield Place(world, server, session, gateway)


async def test_a_job_becomes_a_project_and_once_all_is_labeled_a_version(place: Place) -> None:
    asked = {"instructions": "See https://example.org/guide\nthen draw.", "labelers": ["bob@example.org"]}
    work = await place.work(None, None, **asked)

    one, two = await place.opened(work)
    project = place.server.project
    place.server.label(one, Drawn(name="dog", bbox=BOX))
    half = await place.said(work)
    place.server.label(two)
    outcome, rows = await place.version(work)

    assert project.about.collaborators == ["bob@example.org"]
    assert project.about.project_type == 1
    assert '<a href="https://example.org/guide"' in project.about.expert_instruction
    assert half == "answers: 0 of 2 are there"
    assert outcome.result.summary == {"labeled": 2, "empty": 1, "skipped": 0, "unanswered": 0}
    assert rows[two] == ()
    assert [(row.class_name, row.box, row.author) for row in rows[one]] == [("dog", BOX, "free")]
    assert not place.folder(work).exists()


async def test_images_lie_where_label_free_finds_them_and_what_is_kept_beside_them(place: Place) -> None:
    turned = AnnotationRow("dog", (10.0, 20.0, 20.0, 20.0), rotation=np.pi / 4)
    other = AnnotationRow("cow", (1.0, 2.0, 3.0, 4.0))
    work = await place.work([CAT, turned, other], None, keep=GROUND_TRUTH)

    await place.opened(work)

    one, two = [item.asset for item in sorted(await place.items(work), key=lambda item: not item.suggestions)]
    images = place.folder(work) / "Images"
    assert (images / one[-2:] / f"{one}.jpg").read_bytes() == await place.world.blobs.get(f"sha256:{one}")
    files = sorted(path.name for path in images.rglob("*") if path.is_file())
    assert files == sorted(["coco-annotations.json", f"{one}.jpg", f"{two}.jpg"])
    suggested = place.server.project.suggested
    assert [image["file_name"] for image in suggested["images"]] == [f"{one[-2:]}/{one}.jpg"]
    assert [category["name"] for category in suggested["categories"]] == ["cat", "dog"]
    boxes = {annotation["category_id"]: annotation["bbox"] for annotation in suggested["annotations"]}
    assert boxes[1] == list(CAT.box or ())
    assert boxes[2] == pytest.approx([20 - 200**0.5, 30 - 200**0.5, 800**0.5, 800**0.5])


@pytest.mark.parametrize("is_closed", [True, False])
@pytest.mark.parametrize("hangs_done", [True, False])
async def test_killed_at_any_call_and_begun_again_nothing_is_doubled(
    place: Place, hangs_done: bool, is_closed: bool
) -> None:
    server, work, call = place.server, await place.work([CAT], None, keep=GROUND_TRUTH), 0
    server.hangs_done, server.pending = hangs_done, 1

    while not call or server.hung.is_set():  # the last time it has fewer calls
        call += 1
        server.forget()
        server.hang_at = call
        work = await place.work([CAT], None, keep=GROUND_TRUTH)
        outcome = await _lived(place, work, is_closed=is_closed)

        assert outcome.result.summary == {"labeled": 2, "empty": 1, "skipped": 0, "unanswered": 0}
        assert len(server.project.tasks) == 2
        assert len(server.project.exports) == 1
        assert sum(len(project.exports) for project in server.projects.values()) == 1
        assert not place.folder(work).exists()
        assert len(server.projects) <= 2

    assert call > 12


async def _lived(place: Place, work: Work[LabelParameters], *, is_closed: bool) -> Outcome:
    """Run a task to its end, which ends once where the stand-in hangs; all is labeled as soon as it is there."""
    for _ in range(12):
        result = await _run_unless_killed(place, work)
        if isinstance(result, Outcome):
            return result
        for project in place.server.projects.values():
            for number, name in enumerate(sorted(project.tasks)):
                project.tasks[name] = [CAT_THERE] * (number % 2)
        if is_closed and work.task.step and (await place.job(work)).state is JobState.OPEN:
            await place.close(work)
    raise AssertionError(result)


async def _run_unless_killed(place: Place, work: Work[LabelParameters]) -> Outcome | Pause | None:
    running = asyncio.create_task(place.run(work))
    hanging = asyncio.create_task(place.server.hung.wait())
    if place.server.hung.is_set():  # once is enough
        hanging.cancel()
        return await running
    await asyncio.wait({running, hanging}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    hanging.cancel()
    if not place.server.hung.is_set():
        return await running
    running.cancel()
    await asyncio.wait({running})
    return None


async def test_opened_again_the_images_that_were_not_found_come_from_the_same_storage(place: Place) -> None:
    await place.opened(await place.work(None, None))
    missing = min(place.server.project.tasks)
    place.server.forget()
    place.server.missing = frozenset({Path(missing).stem})
    work = await place.work(None, None)

    await place.opened(work)
    found_first = len(place.server.project.tasks)
    place.server.missing = frozenset()
    work.task = work.task.model_copy(update={"step": ""})
    await place.opened(work)

    assert found_first == 1
    assert len(place.server.project.tasks) == 2
    assert len(place.server.storages) == 2


async def test_a_closed_job_takes_what_is_labeled_and_the_rest_is_unanswered(place: Place) -> None:
    work = await place.work(None, None, None)
    one, *_ = await place.opened(work)
    place.server.label(one, CAT_THERE)
    place.server.pending = 1

    await place.close(work)
    waiting = await place.said(work)
    outcome, rows = await place.version(work)

    assert "is still making the export" in waiting
    assert outcome.result.summary == {"labeled": 1, "empty": 0, "skipped": 0, "unanswered": 2}
    assert [*rows] == [one]
    assert place.server.calls.count("PUT /api/projects/1") == 1


async def test_a_job_closed_before_anything_is_labeled_says_so(place: Place) -> None:
    work = await place.work(None, None)
    await place.opened(work)
    await place.close(work)

    with pytest.raises(Invalid, match="0 were skipped, 2 not answered"):
        await place.run(work)


async def test_an_image_that_somebody_deleted_there_is_skipped(place: Place) -> None:
    work = await place.work(None, None)
    one, two = await place.opened(work)
    place.server.label(one)
    await place.said(work)
    place.server.delete(two)

    outcome, rows = await place.version(work)

    assert outcome.result.summary == {"labeled": 1, "empty": 1, "skipped": 1, "unanswered": 0}
    assert rows == {one: ()}


async def test_images_that_label_free_has_not_found_yet_are_no_skipped_ones(place: Place) -> None:
    content_of_first = await place.work(None, None)
    one, two = await place.opened(content_of_first)
    place.server.projects.clear()
    place.server.missing = frozenset({two})
    work = await place.work(None, None)
    await place.opened(work)
    place.server.label(one)

    waiting = await place.said(work)
    place.server.missing = frozenset()
    await place.said(work)
    place.server.label(two)
    outcome, rows = await place.version(work)

    assert "has 1 of 2 images so far" in waiting
    assert outcome.result.summary["labeled"] == 2
    assert rows.keys() == {one, two}


async def test_an_export_that_was_there_before_is_not_taken_for_ours(place: Place) -> None:
    work = await place.work(None)
    (one,) = await place.opened(work)
    place.server.project.exports["older"] = zipped({"1.xml": b"<annotation/>"})
    place.server.label(one, CAT_THERE)

    _, rows = await place.version(work)

    assert len(rows[one]) == 1


async def test_where_the_id_of_an_export_is_not_told_it_is_found_in_the_list(place: Place) -> None:
    place.server.tells_ids = False
    work = await place.work(None)
    (one,) = await place.opened(work)
    place.server.project.exports["older"] = zipped({"1.xml": b"<annotation/>"})
    place.server.label(one, CAT_THERE)

    waiting = await place.said(work)
    _, rows = await place.version(work)

    assert "is still making the export" in waiting
    assert len(rows[one]) == 1
    assert len(place.server.project.exports) == 2


async def test_what_is_unfit_is_told_and_taken_once_it_is_corrected(place: Place) -> None:
    work = await place.work(None, None)
    one, two = await place.opened(work)
    place.server.label(one, Drawn(name="cow", bbox=BOX))
    place.server.label(two, Drawn(name="cat", bbox=(90.0, 0.0, 30.0, 10.0)))

    await place.said(work)
    refused = [item.refused for item in await place.items(work)]
    place.server.label(one, CAT_THERE)
    place.server.label(two, CAT_THERE)
    for _ in range(AGAIN - 1):
        await place.said(work)
    outcome, _ = await place.version(work)

    assert refused == [
        "The job has no class 'cow'. It has: cat, dog.",
        "The box is empty, or not inside the image of 100 x 80 pixels.",
    ]
    assert outcome.result.summary["labeled"] == 2
    assert len(place.server.calls) < 40


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN])
async def test_a_token_that_is_not_taken_names_the_setting(place: Place, status: int) -> None:
    work = await place.work(None)
    place.server.broken = status

    with pytest.raises(Invalid, match="does not take the token") as refused:
        await place.run(work)

    assert "YMIR_LABELING_TOOLS" in refused.value.step


async def test_a_wrong_token_is_refused_before_anything_is_made(place: Place) -> None:
    work = await place.work(None)

    with pytest.raises(Invalid, match="does not take the token"):
        await place.run(work, tool=place.tool(token="another"))  # noqa: S106 - it is to be wrong

    assert not place.server.projects


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_tool_that_is_broken_for_a_while_is_waited_for(place: Place, status: int) -> None:
    work = await place.work(None)
    place.server.broken = status

    closed_door = await place.said(work)
    place.server.broken = 0
    (one,) = await place.opened(work)
    place.server.label(one)
    place.server.broken = status
    later = await place.said(work)
    place.server.broken = 0
    outcome, _ = await place.version(work)

    assert f"now ({status})" in closed_door
    assert f"now ({status})" in later
    assert outcome.result.summary["empty"] == 1


async def test_a_tool_that_does_not_answer_in_time_or_at_all_is_waited_for(place: Place) -> None:
    work = await place.work(None)
    place.server.hang_at, place.server.hangs_done = 1, False

    slow = await place.said(work, tool=place.tool(timeout_seconds=0.2))
    away = await place.said(work, tool=place.tool(url=f"http://127.0.0.1:{free_port()}"))
    await place.opened(work)

    assert "does not answer in time" in slow
    assert "does not answer" in away
    assert len(place.server.projects) == 1


async def test_a_folder_that_is_not_there_is_waited_for(place: Place) -> None:
    work = await place.work(None)
    place.server.folder.rmdir()

    waiting = await place.said(work)
    place.server.folder.mkdir()
    await place.opened(work)

    assert f"The folder {place.server.folder}, which LabelFree shares, is not there" in waiting


async def test_a_gateway_that_cannot_be_reached_is_waited_for_and_images_are_fetched_once(place: Place) -> None:
    work, gateway = await place.work(None, None), place.gateway

    place.gateway = f"http://127.0.0.1:{free_port()}"
    waiting = await place.said(work)
    place.gateway = gateway
    one, _ = await place.opened(work)
    (place.folder(work) / "Images" / one[-2:] / f"{one}.jpg").write_bytes(b"there already")
    work.task = work.task.model_copy(update={"step": ""})
    await place.opened(work)

    assert f"The gateway at {place.gateway}" not in waiting
    assert "The gateway at http://127.0.0.1" in waiting
    assert (place.folder(work) / "Images" / one[-2:] / f"{one}.jpg").read_bytes() == b"there already"
    assert len(place.server.projects) == 1


async def test_a_folder_or_project_that_is_gone_is_said_and_the_job_can_be_closed(place: Place) -> None:
    work, other = await place.work(None), await place.work(None)
    await place.opened(work)
    for path in sorted(place.folder(work).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    place.folder(work).rmdir()
    no_folder = await place.said(work)
    await place.opened(other)
    place.server.projects.clear()
    no_project = await place.said(other)

    await place.close(work)
    with pytest.raises(Invalid, match="No image was labeled"):
        await place.run(work)

    assert "of the job is gone. Close the job" in no_folder
    assert "is gone from LabelFree. Close the job" in no_project


def _coco(asset: str, **changes: object) -> bytes:
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX, "segmentation": [], "area": 1200, "iscrowd": 0}
    document = {
        "images": [{"id": 1, "file_name": f"{asset[-2:]}/{asset}.jpg", "width": SIZE[0], "height": SIZE[1]}],
        "annotations": [annotation],
        "categories": [{"id": 1, "name": "cat"}],
        **changes,
    }
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"../../outside.json": b"{}"}, "its path leads out of the archive"),
        ({"/outside.json": b"{}"}, "its path leads out of the archive"),
        ({"annotations/stuff_images.json": bytes(300 << 20)}, "it may be a bomb"),
        ({f"{number}.txt": b"" for number in range(1_001)}, "more than 1000 members"),
        ({"readme.txt": b"hello"}, "has no annotations/stuff_images.json: it has readme.txt"),
        ({}, "has no annotations/stuff_images.json: it is empty"),
        ({"annotations/stuff_images.json": b"{"}, "stuff_images.json"),
        ({"annotations/stuff_images.json": b"[]"}, "stuff_images.json"),
        ({"annotations/stuff_images.json": b'{"images": []}'}, "cannot be read"),
        ({"annotations/stuff_images.json": _coco("../../etc/passwd")}, "lists 0 of 1 labeled images"),
    ],
)
async def test_an_export_that_is_hostile_or_broken_is_told(place: Place, members: dict[str, bytes], told: str) -> None:
    work = await place.work(None)
    (one,) = await place.opened(work)
    place.server.label(one)
    place.server.archive = zipped(members)

    assert told in await place.said(work)

    assert not list(place.world.folder.parent.rglob("outside.json"))
    assert (await place.items(work))[0].state is ItemState.OPEN


async def test_an_export_that_could_not_be_read_is_asked_for_again_after_some_looks(place: Place) -> None:
    work = await place.work(None)
    (one,) = await place.opened(work)
    place.server.label(one)
    place.server.archive = zipped({"readme.txt": b"hello"})

    said = {await place.said(work)}
    place.server.archive = b""
    for _ in range(AGAIN - 1):
        said.add(await place.said(work))
    outcome, _ = await place.version(work)

    assert len(said) == 1
    assert outcome.result.summary["empty"] == 1
    assert len(place.server.project.exports) == 2


async def test_a_closed_job_whose_export_cannot_be_read_ends_with_what_was_taken_before(place: Place) -> None:
    work = await place.work(None, None)
    one, two = await place.opened(work)
    place.server.label(one)
    place.server.label(two, Drawn(name="cow", bbox=BOX))
    await place.said(work)
    await place.close(work)
    place.server.archive = zipped({"readme.txt": b"hello"})

    outcome, rows = await place.version(work)

    assert rows == {one: ()}
    assert "has no annotations/stuff_images.json" in outcome.warnings[0]


async def test_a_file_that_is_no_archive_is_told(place: Place) -> None:
    work = await place.work(None)
    (one,) = await place.opened(work)
    place.server.label(one)
    place.server.archive = b"<html>"

    assert "no archive that can be unpacked" in await place.said(work)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"category_id": 7}, "names the category 7"),
        ({"bbox": [1, 2]}, "is not four finite numbers"),
        ({"segmentation": [[1, 2]]}, "needs x, y for at least 3 points"),
    ],
)
async def test_an_image_whose_annotation_cannot_be_read_is_refused_alone(
    place: Place, wrong: dict[str, object], told: str
) -> None:
    work = await place.work(None)
    (one,) = await place.opened(work)
    place.server.label(one)
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX, "segmentation": [], "iscrowd": 0, **wrong}
    place.server.archive = zipped({"annotations/stuff_images.json": _coco(one, annotations=[annotation])})

    await place.said(work)

    (item,) = await place.items(work)
    assert told in item.refused
    assert item.state is ItemState.OPEN


async def test_outlines_come_back_for_a_job_of_polygons_however_they_were_written(place: Place) -> None:
    work = await place.work(None, annotation="polygon")
    (one,) = await place.opened(work)
    rle = {"size": [SIZE[1], SIZE[0]], "counts": _square().counts}
    drawn = Drawn(name="cat", bbox=(0, 0, 1, 1), segmentation=[list(SQUARE)])
    masked = Drawn(name="dog", bbox=(0, 0, 1, 1), segmentation=rle, iscrowd=1)
    place.server.label(one, drawn, masked)

    _, rows = await place.version(work)

    assert place.server.project.about.project_type == 4
    cat, dog = sorted(rows[one])
    assert (cat.polygons, cat.mask, cat.box) == ((SQUARE,), None, (10.0, 20.0, 20.0, 30.0))
    assert (len(dog.polygons), dog.crowd, dog.box) == (1, False, (10.0, 20.0, 20.0, 30.0))
    assert {*zip(dog.polygons[0][::2], dog.polygons[0][1::2], strict=True)} == {
        *zip(SQUARE[::2], SQUARE[1::2], strict=True)
    }


async def test_masks_come_back_for_a_job_of_masks_however_they_were_written(place: Place) -> None:
    work = await place.work(None, annotation="mask")
    (one,) = await place.opened(work)
    rle = {"size": [SIZE[1], SIZE[0]], "counts": _square().counts}
    drawn = Drawn(name="cat", bbox=(0, 0, 1, 1), segmentation=[list(SQUARE)])
    place.server.label(one, drawn, Drawn(name="dog", bbox=(0, 0, 1, 1), segmentation=rle, iscrowd=1))

    _, rows = await place.version(work)

    assert place.server.project.about.project_type == 2
    assert [(row.mask, row.polygons, row.crowd) for row in sorted(rows[one])] == [(_square(), (), False)] * 2


async def test_an_outline_far_outside_is_refused_and_never_filled(place: Place) -> None:
    work = await place.work(None, annotation="mask")
    (one,) = await place.opened(work)
    far = [0.0, 0.0, 1e15, 0.0, 1e15, 1e15]
    place.server.label(one, Drawn(name="cat", bbox=(0, 0, 1, 1), segmentation=[far]))

    await place.said(work)

    assert "asks for mask" in (await place.items(work))[0].refused


async def test_masks_that_are_kept_are_shown_as_label_free_marks_them(place: Place) -> None:
    work = await place.work([AnnotationRow("cat", mask=_square())], keep=GROUND_TRUTH, annotation="mask")

    await place.opened(work)

    (annotation,) = place.server.project.suggested["annotations"]
    assert annotation["segmentation"] == {"size": [80, 100], "counts": _square().counts}
    assert annotation["iscrowd"] == 1


async def test_label_free_has_no_key_points(place: Place) -> None:
    work = await place.work(None, annotation="keypoints")

    with pytest.raises(Invalid, match="LabelFree has no keypoints"):
        await place.run(work)


async def test_hooks_say_nothing(place: Place) -> None:
    work = await place.work(None)
    await place.opened(work)

    assert (await place.tool().heard(await place.job(work), b'{"task": {"id": 1}}')).answers == ()


@pytest.mark.parametrize(("orientation", "corner"), [(3, (28, 18)), (6, (18, 2)), (8, (2, 28))])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_an_image_with_an_orientation_is_written_upright(kind: str, orientation: int, corner: tuple[int, int]) -> None:
    drawn, data = Image.new("RGB", (30, 20), "white"), io.BytesIO()
    drawn.paste((200, 0, 0), (0, 0, 8, 8))
    exif = drawn.getexif()
    exif[0x0112] = orientation
    drawn.save(data, kind, exif=exif)

    with Image.open(io.BytesIO(upright(data.getvalue(), media_type=f"image/{kind.lower()}"))) as image:
        assert image.format == ("JPEG" if kind == "JPEG" else "PNG")
        assert image.getexif().get(0x0112, 1) == 1
        assert image.size == ((30, 20) if orientation == 3 else (20, 30))
        assert np.asarray(image.convert("RGB"))[corner[1] - 1, corner[0] - 1, 1] < 80


def test_an_image_that_is_upright_is_written_as_it_is() -> None:
    data = io.BytesIO()
    Image.new("RGB", (30, 20)).save(data, "JPEG")

    assert upright(data.getvalue(), media_type="image/jpeg") == data.getvalue()


@pytest.mark.parametrize(("kind", "mode"), [("WEBP", "RGB"), ("TIFF", "CMYK"), ("TIFF", "L")])
def test_an_image_of_a_kind_that_label_free_does_not_take_becomes_a_png(kind: str, mode: str) -> None:
    data = io.BytesIO()
    Image.new(mode, (30, 20)).save(data, kind)

    with Image.open(io.BytesIO(upright(data.getvalue(), media_type=f"image/{kind.lower()}"))) as image:
        assert (image.format, image.size) == ("PNG", (30, 20))


@pytest.mark.parametrize(
    "wrong",
    [
        {"folder": None},
        {"folder_in_tool": None},
        {"folder": "relative"},
        {"folder_in_tool": "relative"},
        {"kind": "label_studio"},
    ],
)
def test_settings_without_both_folders_are_refused_at_start(wrong: dict[str, object]) -> None:
    given = {"kind": "label_free", "url": "http://host", "token": "t", "folder": "/a", "folder_in_tool": "/b"}

    with pytest.raises(ValidationError, match="folder"):
        ToolSettings.model_validate({**given, **wrong})


def _square() -> MaskRow:
    pixels = np.zeros((SIZE[1], SIZE[0]), np.bool_)
    pixels[20:50, 10:30] = True
    return mask_of(pixels)
