"""However long the line of queued tasks is, a sweep looks at its beginning, and rings no more than helps."""

import pytest

from schemas.algebra_parameters import SampleParameters
from schemas.model_parameters import TrainParameters
from schemas.parameters import Slot
from schemas.refs import Source
from schemas.schema import new_id
from schemas.task_states import TaskState
from tests.workers.life_bench import Bench, Prepare, nothing
from workers import ringer


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ringer, "FIRST_IN_LINE", 3)
    monkeypatch.setattr(ringer, "DOORBELLS_ENOUGH", 2)


async def rung(bench: Bench, slot: Slot) -> int:
    return await bench.bus.waiting(slot)


@pytest.mark.usefixtures("few")
async def test_of_a_long_line_the_first_of_each_kind_of_slot_are_rung_for(prepare: Prepare) -> None:
    bench = prepare(nothing)
    sample = SampleParameters(dataset="few", source="many", count=1)
    train = TrainParameters(model="m", executor="e", training=(Source(ref="many"),), classes=("cat",))
    for parameters in (sample, sample, sample, sample, sample, train):
        await bench.accept(id=new_id(), parameters=parameters)

    await bench.watch(ringer.FIRST_RING_SECONDS)

    assert (await rung(bench, Slot.DATA), await rung(bench, Slot.EXECUTOR)) == (3, 1)


@pytest.mark.usefixtures("few")
async def test_while_enough_doorbells_wait_no_more_are_rung(prepare: Prepare) -> None:
    bench = prepare(nothing)
    tasks = [await bench.accept() for _ in range(3)]
    for task in tasks[:2]:
        await bench.bus.ring(task.doorbell())

    await bench.watch(ringer.FIRST_RING_SECONDS)
    before = await rung(bench, Slot.DATA)
    async with bench.working():
        for task in tasks[:2]:
            await bench.until(task.id, TaskState.SUCCEEDED)
    await bench.watch(0)

    assert before == 2
    assert await rung(bench, Slot.DATA) == 1
