"""The Docker runtime: what a container is given, how it ends, and that nothing of it is left."""

import asyncio
import io
import os
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import Invalid, Unavailable
from tests.workers.executors.container_bench import Bench, comes
from workers.executors import container_limits
from workers.executors.docker import DockerRuntime
from workers.executors.engine import Engine
from workers.executors.runtime import Cause, Exit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DEAF = "trap '' TERM INT\nsleep 1000 &\n(setsid sleep 1000 &)\ntouch /out/began\nwhile true; do sleep 1000; done\n"


async def test_the_exit_code_and_the_output_come_back(bench: Bench) -> None:
    assert await bench.ran("echo out; echo err >&2; exit 3\n") == Exit(3, Cause.ENDED)

    assert sorted(bench.log.splitlines()) == ["err", "out"]


async def test_a_signal_is_an_exit_below_zero(bench: Bench) -> None:
    assert await bench.ran("bash -c 'kill -SEGV $$'; exit $?\n") == Exit(-11, Cause.ENDED)


async def test_a_container_has_the_folders_of_the_contract_and_nothing_of_the_worker(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YMIR_S3_SECRET_KEY", "hush-hush")

    exited = await bench.ran(
        "env; echo given > /out/models/a; touch /tmp/x; ls -d /in/assets /in/models /out/tensorboard"
    )

    assert exited.is_success, bench.log
    assert "hush-hush" not in bench.log
    assert (bench.folder.made / "models" / "a").read_text() == "given\n"


async def test_limits_are_set_on_the_container(bench: Bench) -> None:
    limits: dict[str, Any] = {"memory_bytes": 200 << 20, "processes": 77, "cpus": 0.5, "shared_memory_bytes": 64 << 20}
    script = (
        "cd /sys/fs/cgroup\n"
        "cat memory/memory.limit_in_bytes memory.max 2>/dev/null\n"
        "cat memory/memory.memsw.limit_in_bytes memory.swap.max 2>/dev/null\n"
        "cat pids/pids.max pids.max 2>/dev/null\n"
        "cat cpu/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 cpu.max\n"
        "df --block-size=1 --output=size /dev/shm | tail -1\n"
    )

    await bench.ran(script, **limits)

    memory, swap, processes, quota, shared = map(int, bench.log.split())
    assert memory == 200 << 20
    assert swap in {200 << 20, 0}
    assert processes == 77
    assert quota == 50_000
    assert shared == 64 << 20


async def test_progress_is_told_while_it_runs_and_what_it_lies_is_bounded(bench: Bench) -> None:
    told: list[tuple[float, float]] = []
    steps = ["0.25", "nan", "-3", "0.1", "7"]
    script = "".join(
        f"printf 't\\t1\\t{step}\\t2\\n' > /out/monitor.txt\ndate +%s.%N > /out/at-{number}\nsleep 0.4\n"
        for number, step in enumerate(steps)
    )

    exited = await bench.ran(script, progress=lambda fraction: told.append((fraction, time.time())))

    assert exited.is_success
    assert [fraction for fraction, _ in told] == [0.25, 1.0]
    assert 0 <= told[0][1] - float((bench.folder.made / "at-0").read_text()) < 2


async def test_what_only_ends_when_it_is_killed_ends_within_seconds_of_a_cancellation(bench: Bench) -> None:
    order = bench.order(DEAF)
    run = asyncio.create_task(bench.runtime.run(order, progress=lambda _: None))
    await comes(order.folder.made / "began")

    asked_at = time.monotonic()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert time.monotonic() - asked_at < 10
    assert await bench.containers() == []


async def test_an_executor_may_tidy_up_when_it_is_asked_to_end(bench: Bench) -> None:
    bench.runtime = DockerRuntime(bench.engine, deployment=bench.deployment)
    order = bench.order("trap 'echo tidied > /out/tidied; exit 0' TERM\ntouch /out/began\nsleep 1000 & wait\n")
    run = asyncio.create_task(bench.runtime.run(order, progress=lambda _: None))
    await comes(order.folder.made / "began")

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert (order.folder.made / "tidied").read_text() == "tidied\n"


async def test_a_container_that_hangs_is_ended_by_the_time_limit(bench: Bench) -> None:
    assert (await bench.ran(DEAF, seconds=1)).cause is Cause.SECONDS


async def test_a_fork_bomb_meets_its_limit_and_goes_with_its_container(bench: Bench) -> None:
    script = "breed() { while true; do (setsid sleep 1000 &); done; }\nbreed & breed & breed & wait\n"

    exited = await bench.ran(script, seconds=2, processes=100)

    assert exited.cause is Cause.SECONDS
    assert "Resource temporarily unavailable" in bench.log


async def test_a_run_that_fills_the_disk_under_out_is_ended(bench: Bench) -> None:
    script = "for n in $(seq 1000); do head -c 1000000 /dev/zero > /out/$n; sleep 0.01; done\nsleep 1000\n"

    assert (await bench.ran(script, output_bytes=5_000_000)).cause is Cause.OUTPUT_BYTES


async def test_a_run_that_fills_the_disk_of_its_container_is_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_limits, "LAYER_LOOK_SECONDS", 0.2)
    script = "mkdir /var/tmp/x; while true; do head -c 1000000 /dev/zero >> /var/tmp/x/y; sleep 0.01; done\n"

    assert (await bench.ran(script, layer_bytes=5_000_000)).cause is Cause.OUTPUT_BYTES


async def test_one_file_cannot_grow_beyond_the_limit(bench: Bench) -> None:
    await bench.ran("head -c 50000000 /dev/zero > /out/file\n", output_bytes=1_000_000)

    assert (bench.folder.made / "file").stat().st_size <= 1_000_000


async def test_a_run_that_takes_too_much_memory_is_ended(bench: Bench) -> None:
    script = "python3 -c 'data = bytearray(300_000_000); input()'\n"

    assert (await bench.ran(script, memory_bytes=100_000_000)).cause is Cause.MEMORY_BYTES


async def test_gigabytes_of_output_leave_the_beginning_and_the_end(bench: Bench) -> None:
    exited = await bench.ran("echo first; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last\n")

    assert exited.is_success
    assert len(bench.log) < 1_000_000
    assert bench.log.startswith("first\n")
    assert " bytes left out ...]" in bench.log
    assert bench.log.endswith("\nlast\n")


async def test_an_attempt_ends_what_is_left_of_the_one_before(bench: Bench) -> None:
    before = bench.order(DEAF)
    first = asyncio.create_task(bench.runtime.run(before, progress=lambda _: None))
    await comes(before.folder.made / "began")

    exited = await bench.runtime.run(bench.order("exit 0\n", epoch=2), progress=lambda _: None)

    assert exited.is_success
    assert (await asyncio.gather(first, return_exceptions=True))[0] != Exit(0, Cause.ENDED)


async def test_what_root_writes_where_it_is_allowed_can_be_removed(bench: Bench) -> None:
    exited = await bench.ran(
        "id -u; umask 077; mkdir /out/deep; touch /out/deep/file; chown 0:0 /out/deep", run_as_root=True
    )

    assert exited.is_success, bench.log
    assert bench.log.splitlines()[0] == "0"


async def test_a_root_that_is_read_only_where_the_image_says_so(
    bench: Bench, engine: Engine, image: str, tmp_path: Path
) -> None:
    client = engine.client
    container = client.containers.create(image, ["true"], network_mode="none")
    (tmp_path / "m").write_text("read_only_root: true\n")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(tmp_path / "m", "manifest.yaml")
    container.put_archive("/img-man", archive.getvalue())
    container.commit("ymir-test-read-only", "local")
    container.remove()
    order = bench.order("touch /var/tmp/x && exit 1; touch /tmp/x /out/x || exit 2\n")

    exited = await bench.runtime.run(
        order._replace(executor=bench.executor("ymir-test-read-only:local")), progress=lambda _: None
    )

    assert exited == Exit(0, Cause.ENDED)


async def test_an_image_that_nobody_has_is_the_tasks_fault_and_a_registry_that_is_away_is_not(bench: Bench) -> None:
    with pytest.raises(Invalid, match="refuses"):
        await bench.runtime.digest(bench.executor("Not A Name"))
    with pytest.raises(Unavailable):
        await bench.runtime.digest(bench.executor("127.0.0.1:9/nobody:1"))


async def test_an_engine_that_is_away_is_no_fault_of_the_task(bench: Bench) -> None:
    runtime = DockerRuntime(Engine("tcp://127.0.0.1:9"), deployment="0" * 32)

    with pytest.raises(Unavailable, match="does not answer"):
        await runtime.run(bench.order("true"), progress=lambda _: None)


async def test_an_image_without_a_script_is_told_with_its_last_words(bench: Bench) -> None:
    base = os.environ.get("YMIR_TEST_BASE_IMAGE", "ymir-test-base:bookworm")
    order = bench.order("true")

    exited = await bench.runtime.run(order._replace(executor=bench.executor(base)), progress=lambda _: None)

    assert exited.code == 127
