"""The process runtime: what an executor is given, and that nothing of it is left."""

import asyncio
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from schemas.annotations import ObjectType
from schemas.executors import Executor, Limits, Runtime
from tests.factories import NOON
from workers.executors.layout import LOG, RunFolder
from workers.executors.process import ProcessRuntime, ProcessSettings
from workers.executors.runtime import Cause, Exit, Order

QUICK = ProcessSettings(grace_seconds=0.3, poll_seconds=0.05, log_bytes=1_000)
TASK = "0" * 32
# Children of all kinds: in the background, in a session of their own, forked twice, deaf to SIGTERM.
BROOD = (
    "trap '' TERM\n"
    "sleep 1000 &\n"
    "setsid sleep 1000 &\n"
    "(setsid bash -c 'trap \"\" TERM; sleep 1000 & sleep 1000' &)\n"
    "( ( nohup sleep 1000 >/dev/null 2>&1 & ) & )\n"
)


def an_executor(folder: Path, script: str, *, limits: Limits | None = None) -> Executor:
    (folder / "executor").mkdir()
    (folder / "executor" / "start.sh").write_text(script)
    return Executor(
        id="0" * 32,
        name="script",
        runtime=Runtime.PROCESS,
        reference=str(folder / "executor"),
        object_types=(ObjectType.DETECTION,),
        templates={},
        limits=limits or Limits(),
        created_at=NOON,
    )


def a_folder(folder: Path) -> RunFolder:
    run = RunFolder(folder / "run")
    run.prepare()
    return run


async def ran(
    folder: Path,
    script: str,
    *,
    limits: Limits | None = None,
    settings: ProcessSettings = QUICK,
    progress: Callable[[float], None] = lambda _: None,
) -> Exit:
    runtime = ProcessRuntime(settings)
    executor = an_executor(folder, script, limits=limits)
    return await runtime.run(Order(executor, a_folder(folder), TASK, 1), progress=progress)


def log_of(folder: Path) -> bytes:
    return (folder / "run" / "out" / LOG).read_bytes()


def running_in(folder: Path) -> list[int]:
    """Return the processes whose working folder is a run's: all that a script started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "cwd").readlink() == folder / "run":
                    found.append(int(entry.name))
    return found


async def is_empty(folder: Path) -> None:
    async with asyncio.timeout(20):
        for process in running_in(folder):
            with suppress(ProcessLookupError):
                handle = os.pidfd_open(process)
                await asyncio.to_thread(_ended, handle)
    assert running_in(folder) == []


def _ended(handle: int) -> None:
    try:
        select.select([handle], [], [], 15)
    finally:
        os.close(handle)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


async def comes(fifo: Path) -> None:
    async with asyncio.timeout(20):
        await asyncio.to_thread(fifo.read_bytes)


async def test_the_exit_code_and_the_output_come_back(tmp_path: Path) -> None:
    assert await ran(tmp_path, "echo out; echo err >&2; exit 3\n") == Exit(3, Cause.ENDED)

    assert log_of(tmp_path) == b"out\nerr\n"


async def test_a_signal_is_an_exit_below_zero(tmp_path: Path) -> None:
    assert await ran(tmp_path, "kill -9 $$\n") == Exit(-9, Cause.ENDED)


async def test_no_secret_of_the_worker_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YMIR_S3_SECRET_KEY", "hush-hush")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hush-hush")

    await ran(tmp_path, "env\n", settings=QUICK.model_copy(update={"log_bytes": 100_000}))

    told = log_of(tmp_path).decode()
    assert "hush-hush" not in told
    assert f"DEFAULT_ENV_FILE_PATH={tmp_path}/run/in/env.yaml" in told
    assert f"DEFAULT_CONFIG_FILE_PATH={tmp_path}/run/in/config.yaml" in told
    assert f"PYTHON={sys.executable}" in told
    assert "OMP_NUM_THREADS=1" in told


async def test_an_executor_starts_in_its_fresh_folder_with_nothing_to_read(tmp_path: Path) -> None:
    await ran(tmp_path, "pwd; cat\n")

    assert log_of(tmp_path).decode() == f"{tmp_path}/run\n"


async def test_progress_is_told_while_it_runs_and_never_falls(tmp_path: Path, fifo: Path) -> None:
    told: list[float] = []

    def hear(fraction: float) -> None:
        told.append(fraction)
        if fraction == 0.5:
            release.set()

    release = asyncio.Event()
    script = (
        "printf 't\\t1\\t0.5\\t2\\n' > out/monitor.txt\n"
        f"read line < {fifo}\n"
        "printf 't\\t1\\t0.25\\t2\\n' > out/monitor.txt\n"
    )
    run = asyncio.create_task(ran(tmp_path, script, progress=hear))
    async with asyncio.timeout(20):
        await release.wait()
        await asyncio.to_thread(fifo.write_text, "go\n")
        await run

    assert told == [0.5]


@pytest.mark.parametrize("content", ["", "half", "t\\t1\\tx\\t2\\n", "t\\t1\\n", "\\377\\000"])
async def test_a_monitor_that_cannot_be_read_is_no_progress(tmp_path: Path, content: str) -> None:
    told: list[float] = []

    exited = await ran(tmp_path, f"printf '{content}' > out/monitor.txt; sleep 0.3\n", progress=told.append)

    assert exited.is_success
    assert told == []


async def test_children_do_not_outlive_an_executor_that_ends(tmp_path: Path) -> None:
    assert await ran(tmp_path, BROOD + "exit 0\n") == Exit(0, Cause.ENDED)

    assert running_in(tmp_path) == []


async def test_a_fork_bomb_is_ended_by_the_time_limit(tmp_path: Path) -> None:
    script = "breed() { while true; do (setsid bash -c 'sleep 1000' &) ; sleep 0.02; done; }\nbreed & breed & breed\n"

    exited = await ran(tmp_path, script, limits=Limits(seconds=1))

    assert exited.cause is Cause.SECONDS
    assert running_in(tmp_path) == []


async def test_cancelled_it_ends_what_ignores_a_request(tmp_path: Path, fifo: Path) -> None:
    run = asyncio.create_task(ran(tmp_path, f"{BROOD}echo > {fifo}\nwhile true; do sleep 1000; done\n"))
    await comes(fifo)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert running_in(tmp_path) == []


async def test_an_executor_may_tidy_up_when_it_is_asked_to_end(tmp_path: Path, fifo: Path) -> None:
    script = f"trap 'echo tidied > out/tidied; exit 0' TERM\necho > {fifo}\nsleep 1000 & wait\n"
    run = asyncio.create_task(ran(tmp_path, script, settings=QUICK.model_copy(update={"grace_seconds": 10.0})))
    await comes(fifo)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert (tmp_path / "run" / "out" / "tidied").read_text() == "tidied\n"


async def test_nothing_is_left_after_the_worker_was_killed(tmp_path: Path, fifo: Path) -> None:
    an_executor(tmp_path, f"{BROOD}echo > {fifo}\nwhile true; do sleep 1000; done\n")
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, '.')\n"
        "from schemas.executors import Executor\n"
        "from workers.executors.layout import RunFolder\n"
        "from workers.executors.process import ProcessRuntime, ProcessSettings\n"
        "from workers.executors.runtime import Order\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "run = RunFolder(folder / 'run'); run.prepare()\n"
        "executor = Executor(id='0' * 32, name='x', runtime='process', reference=str(folder / 'executor'),\n"
        "    object_types=('detection',), templates={}, created_at='2026-11-22T12:00:00Z')\n"
        "runtime = ProcessRuntime(ProcessSettings(grace_seconds=0.3))\n"
        "asyncio.run(runtime.run(Order(executor, run, '0' * 32, 1), progress=print))\n"
    )
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    await comes(fifo)
    assert len(running_in(tmp_path)) >= 5

    worker.send_signal(signal.SIGKILL)
    await worker.wait()

    await is_empty(tmp_path)


async def test_gigabytes_of_output_leave_the_beginning_and_the_end(tmp_path: Path) -> None:
    exited = await ran(tmp_path, "echo first; head -c 300000000 /dev/zero; echo; echo last\n")

    log = log_of(tmp_path)
    assert exited.is_success
    assert len(log) < 1_000_000
    assert log.startswith(b"first\n")
    assert b" bytes left out ...]" in log
    assert log.endswith(b"\nlast\n")


async def test_a_run_that_writes_too_much_is_ended(tmp_path: Path) -> None:
    script = "for n in $(seq 1000); do head -c 1000000 /dev/zero > out/$n; sleep 0.01; done\nsleep 1000\n"

    exited = await ran(tmp_path, script, limits=Limits(output_bytes=5_000_000))

    assert exited.cause is Cause.OUTPUT_BYTES


async def test_one_file_cannot_grow_beyond_the_limit(tmp_path: Path) -> None:
    await ran(tmp_path, "head -c 50000000 /dev/zero > out/file\n", limits=Limits(output_bytes=1_000_000))

    assert (tmp_path / "run" / "out" / "file").stat().st_size <= 1_000_000


async def test_a_run_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    script = "exec \"$PYTHON\" -c 'import time; data = bytearray(300_000_000); time.sleep(1000)'\n"

    exited = await ran(tmp_path, script, limits=Limits(memory_bytes=100_000_000))

    assert exited.cause is Cause.MEMORY_BYTES


async def test_a_script_that_is_missing_is_an_exit_like_any_other(tmp_path: Path) -> None:
    runtime, executor = ProcessRuntime(QUICK), an_executor(tmp_path, "")
    (tmp_path / "executor" / "start.sh").unlink()

    exited = await runtime.run(Order(executor, a_folder(tmp_path), TASK, 1), progress=lambda _: None)

    assert exited.code == 127
    assert b"start.sh" in log_of(tmp_path)
