"""Conflicts of a merge over HTTP."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from schemas.algebra_parameters import OnConflict
from schemas.annotations import Annotation, Box
from schemas.conflicts import SHEET, Conflict, ConflictKind, ConflictSheet
from schemas.outcomes import Outcome, Pause, TaskResult
from schemas.task_states import TaskState
from schemas.tasks import Input, Task
from storage.conflict_lists import ConflictFile
from tests.factories import NOON, WORKER, a_task
from tests.gateway.api import VIEWER, Api
from tests.gateway.world import HEIGHT, PROJECT, WIDTH, World, a_picture

OURS = Annotation(id="1" * 32, class_name="robin", box=Box(x=1, y=2, width=10, height=12))
THEIRS = OURS.model_copy(update={"class_name": "wren"})
EDITED = {"class": "Great tit", "box": {"x": 2, "y": 2, "width": 8, "height": 8}}
COUNT = SHEET + 3


class Merging:
    """A merge that waits, with some conflicts on the pictures of a version."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder

    async def task(self, count: int = COUNT, **asked: object) -> Task:
        version = await self.world.version()
        file = ConflictFile(self.folder / "conflicts")
        await file.add([a_conflict(number) for number in range(count)])
        result = TaskResult(conflicts=await file.keep(self.world.services.blobs))
        parameters = {"type": "merge", "dataset": "merged", "ours": "pool", "theirs": "pool", **asked}
        inputs = tuple(Input(pointer=f"/{side}", ref="pool", version=version.id) for side in ("ours", "theirs"))
        task = a_task(project=self.world.project.id, parameters=parameters, inputs=inputs).claimed(by=WORKER, at=NOON)
        task = task.paused(Pause(step="resolve", waiting_for="answers", result=result), at=NOON)
        await self.world.add(task)
        return task

    async def state(self, task: Task) -> TaskState:
        return (await self.world.services.database.documents(Task).get(task.id)).state


def a_conflict(number: int) -> Conflict:
    asset = hashlib.sha256(a_picture(10)).hexdigest()
    return Conflict(
        number=number,
        layer="ground_truth",
        asset=asset,
        kind=ConflictKind.EDITED,
        width=WIDTH,
        height=HEIGHT,
        base=OURS,
        ours=OURS,
        theirs=THEIRS,
    )


@pytest.fixture
def merging(world: World, tmp_path: Path) -> Merging:
    return Merging(world, tmp_path)


async def test_conflicts_are_listed_page_by_page_with_both_sides(api: Api, merging: Merging) -> None:
    task = await merging.task()
    path = f"/v1/tasks/{task.id}/conflicts"

    first = await api.get(f"{path}?limit=100")
    rest = await api.get(f"{path}?limit=100&cursor={first['next']}")

    items = first["items"] + rest["items"]
    assert [item["number"] for item in items] == list(range(COUNT))
    assert rest["next"] is None
    assert (items[0]["ours"]["class"], items[0]["theirs"]["class"], items[0]["answer"]) == ("robin", "wren", None)
    assert await api.get(f"{path}/status") == {"total": COUNT, "open": COUNT}
    link = items[0]["image"].removeprefix(api.services.settings.public_url)
    assert await (await api.bearing("").raw("GET", link)).read() == a_picture(10)
    await api.get(f"{path}?cursor=x", expect=422)


async def test_the_task_goes_on_when_every_conflict_is_answered(api: Api, merging: Merging) -> None:
    task = await merging.task(count=2)
    path = f"/v1/tasks/{task.id}/conflicts"

    one = await api.post(f"{path}/0/resolve", {"take": "theirs"})
    before = await merging.state(task)
    open_ = await api.get(f"{path}?state=open")
    await api.post(f"{path}/1/resolve", {"annotation": EDITED})

    assert one["answer"] == {"take": "theirs", "annotation": None, "by": "the admin", "at": one["answer"]["at"]}
    assert (before, [item["number"] for item in open_["items"]]) == (TaskState.WAITING, [1])
    assert await merging.state(task) is TaskState.QUEUED
    shown = await api.get(f"{path}/1")
    assert (shown["answer"]["annotation"]["class"], shown["answer"]["annotation"]["author"]) == (
        "great tit",
        "the admin",
    )


async def test_one_word_answers_all_that_are_open_and_writes_few_documents(api: Api, merging: Merging) -> None:
    task = await merging.task()
    path = f"/v1/tasks/{task.id}/conflicts"
    await api.post(f"{path}/{COUNT - 1}/resolve", {"take": "both"})

    status = await api.post(f"{path}/resolve", {"all": "ours"})

    assert status == {"total": COUNT, "open": 0}
    assert await api.services.database.documents(ConflictSheet).count() == 2
    answers = {item["answer"]["take"] for item in (await api.get(f"{path}?state=answered&limit=102"))["items"]}
    assert answers == {"ours"}
    assert (await api.get(f"{path}/{COUNT - 1}"))["answer"]["take"] == "both"
    assert await merging.state(task) is TaskState.QUEUED


async def test_several_are_answered_at_once_or_none(api: Api, merging: Merging) -> None:
    task = await merging.task()
    path = f"/v1/tasks/{task.id}/conflicts"
    good = [{"number": number, "take": "ours"} for number in (0, 50, COUNT - 1)]

    problem = await api.post(
        f"{path}/resolve",
        {
            "answers": [
                *good,
                {"number": COUNT, "take": "ours"},
                {"number": 1, "annotation": {**EDITED, "class": "eagle"}},
                {"number": 2, "annotation": {**EDITED, "id": "2" * 32}},
                {"number": 3, "annotation": {"class": "wren", "box": {"x": 0, "y": 0, "width": 100, "height": 1}}},
                {"number": 4, "annotation": {"box": EDITED["box"]}},
            ]
        },
        expect=422,
    )
    before = await api.get(f"{path}/status")
    after = await api.post(f"{path}/resolve", {"answers": good})

    assert [error["pointer"] for error in problem["errors"]] == [
        "/answers/3/number",
        "/answers/4/annotation/class",
        "/answers/5/annotation/id",
        "/answers/6/annotation/box",
        "/answers/7/annotation/class",
    ]
    assert (before["open"], after["open"]) == (COUNT, COUNT - 3)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"take": "mine"}, "/take"),
        ({"take": "ours", "annotation": EDITED}, ""),
        ({"annotation": {**EDITED, "colour": "red"}}, "/annotation/colour"),
        ({"annotation": {**EDITED, "class": "eagle"}}, "/annotation/class"),
    ],
)
async def test_an_answer_that_cannot_be_is_refused_where_it_is_wrong(
    api: Api, merging: Merging, body: dict[str, object], pointer: str
) -> None:
    task = await merging.task(count=1)

    problem = await api.post(f"/v1/tasks/{task.id}/conflicts/0/resolve", body, expect=422)

    assert [error.get("pointer", "") for error in problem["errors"]] == [pointer]
    assert await merging.state(task) is TaskState.WAITING


async def test_a_later_answer_counts_until_the_sheet_is_sealed(api: Api, merging: Merging) -> None:
    task = await merging.task(count=1)
    path = f"/v1/tasks/{task.id}/conflicts/0"
    await api.post(f"{path}/resolve", {"take": "ours"})
    changed = await api.post(f"{path}/resolve", {"take": "theirs"})
    sheets = api.services.database.documents(ConflictSheet)
    sheet = (await sheets.list()).items[0]
    await sheets.replace(sheet.successor(sealed=True), was=sheet)

    await api.post(f"{path}/resolve", {"take": "ours"}, expect=409)
    same = await api.post(f"{path}/resolve", {"take": "theirs"})

    assert changed["answer"] == same["answer"]


async def test_answers_that_come_at_once_are_all_kept(api: Api, merging: Merging) -> None:
    task = await merging.task(count=10)
    path = f"/v1/tasks/{task.id}/conflicts"

    await asyncio.gather(*(api.post(f"{path}/{number}/resolve", {"take": "ours"}) for number in range(10)))

    assert await api.get(f"{path}/status") == {"total": 10, "open": 0}
    assert await merging.state(task) is TaskState.QUEUED


async def test_a_merge_that_has_ended_takes_no_answers(api: Api, merging: Merging) -> None:
    task = await merging.task(count=1)
    tasks = api.services.database.documents(Task)
    await tasks.replace(task.ended(Outcome(cancelled=True, result=task.result), at=NOON), was=task)

    await api.post(f"/v1/tasks/{task.id}/conflicts/0/resolve", {"take": "ours"}, expect=409)
    await api.post(f"/v1/tasks/{task.id}/conflicts/resolve", {"all": "ours"}, expect=409)

    assert (await api.get(f"/v1/tasks/{task.id}/conflicts"))["items"][0]["answer"] is None


async def test_conflicts_that_were_settled_without_asking_are_shown_with_who_asked_for_that(
    api: Api, merging: Merging
) -> None:
    task = await merging.task(count=1, on_conflict=OnConflict.THEIRS)

    listed = await api.get(f"/v1/tasks/{task.id}/conflicts")

    assert (listed["items"][0]["answer"]["take"], listed["items"][0]["answer"]["by"]) == ("theirs", "somebody")
    assert await api.get(f"/v1/tasks/{task.id}/conflicts/status") == {"total": 1, "open": 0}


async def test_a_task_without_conflicts_says_so_or_that_it_is_too_early(api: Api, merging: Merging) -> None:
    task = await merging.task(count=1)
    early = task.woken(at=NOON).model_copy(update={"id": "a" * 32, "result": TaskResult()})
    none = early.model_copy(update={"id": "b" * 32, "state": TaskState.SUCCEEDED})
    for other in (early, none, a_task(id="c" * 32)):
        await merging.world.add(other)

    problem = await api.get(f"/v1/tasks/{early.id}/conflicts", expect=404)
    listed = await api.get(f"/v1/tasks/{none.id}/conflicts")
    await api.get(f"/v1/tasks/{'c' * 32}/conflicts", expect=404)

    assert problem["step"] == "Wait: the task is queued."
    assert listed == {"items": [], "next": None}
    for number in ("1", "x", "-1", "9" * 30):
        await api.get(f"/v1/tasks/{task.id}/conflicts/{number}", expect=404)


async def test_a_viewer_sees_conflicts_and_answers_none(api: Api, merging: Merging) -> None:
    task = await merging.task(count=1)
    viewer = api.bearing(VIEWER)

    listed = await viewer.get(f"/v1/tasks/{task.id}/conflicts")
    await viewer.post(f"/v1/tasks/{task.id}/conflicts/0/resolve", {"take": "ours"}, expect=403)

    assert len(listed["items"]) == 1


async def test_branches_and_reverts_are_accepted_where_they_make_sense(api: Api, world: World) -> None:
    await world.version()
    tasks = f"/v1/projects/{PROJECT}/tasks"

    branch = await api.post(tasks, {"type": "branch", "dataset": "side", "source": "pool@1"}, expect=202)
    revert = await api.post(tasks, {"type": "revert", "dataset": "pool", "source": "pool@1"}, expect=202)
    await world.version("taken")
    problem = await api.post(tasks, {"type": "branch", "dataset": "taken", "source": "pool@1"}, expect=422)

    assert [given["pointer"] for given in branch["inputs"]] == ["/source"]
    assert [given["pointer"] for given in revert["inputs"]] == ["/source", "/dataset"]
    assert problem["errors"][0]["pointer"] == "/dataset"


async def test_a_merge_of_two_lines_takes_no_strategy_of_sources(api: Api, world: World) -> None:
    await world.version()
    asked = {"type": "merge", "dataset": "merged", "ours": "pool", "theirs": "pool@1", "base": "pool@1"}

    problem = await api.post(f"/v1/projects/{PROJECT}/tasks", {**asked, "strategy": "host"}, expect=422)

    assert [(fault["pointer"], "on_conflict" in fault["detail"]) for fault in problem["errors"]] == [
        ("/strategy", True)
    ]
