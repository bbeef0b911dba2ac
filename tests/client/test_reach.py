"""How commands reach a service, or own a data folder."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from client.data_folder import owned, owner_of
from client.reach import Target, reached, readable, target_of
from schemas.errors import Invalid
from schemas.projects import Project, ProjectSubmission

HOLD = """
import sys
from pathlib import Path

from client.data_folder import owned

with owned(Path(sys.argv[1])):
    print("owned", flush=True)
    sys.stdin.read()
"""


@asynccontextmanager
async def held(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Have another process own a folder until its input ends."""
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, str(folder), stdin=PIPE, stdout=PIPE)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"owned\n"
    try:
        yield holder
    finally:
        if holder.returncode is None:
            holder.kill()
        await holder.wait()


async def test_a_folder_that_nobody_owns_is_owned_and_left(tmp_path: Path) -> None:
    target = Target(data=tmp_path / "data")

    async with reached(target) as (client, is_own):
        owner = owner_of(target.data)
        made = await client.post(Project, "/v1/projects", ProjectSubmission(name="cats"))

    assert is_own
    assert owner is not None
    assert owner.process == os.getpid()
    assert owner.url is None
    assert made.name == "cats"
    assert owner_of(target.data) is None


async def test_what_one_command_made_the_next_reads_without_the_lock(tmp_path: Path) -> None:
    target = Target(data=tmp_path)
    async with reached(target) as (client, _):
        await client.post(Project, "/v1/projects", ProjectSubmission(name="cats"))

    async with held(tmp_path), readable(target) as reader:
        names = [project.name async for project in reader.items(Project, "/v1/projects")]

    assert names == ["cats"]


async def test_the_service_that_owns_the_folder_is_used(tmp_path: Path) -> None:
    target = Target(data=tmp_path)
    with owned(tmp_path) as tell:
        from client.embedded import in_process  # noqa: PLC0415 - as the command does

        async with in_process(tmp_path) as url:
            tell(url)
            async with reached(target) as (client, is_own):
                await client.post(Project, "/v1/projects", ProjectSubmission(name="cats"))
            async with readable(target) as reader:
                names = [project.name async for project in reader.items(Project, "/v1/projects")]

    assert not is_own
    assert names == ["cats"]


async def test_a_command_waits_for_another_and_says_once_for_whom(tmp_path: Path) -> None:
    told: list[str] = []

    async with held(tmp_path) as holder:

        def tell(line: str) -> None:
            told.append(line)
            assert holder.stdin is not None
            holder.stdin.close()

        async with asyncio.timeout(60), reached(Target(data=tmp_path), tell=tell) as (_, is_own):
            pass

    assert is_own
    assert told == [f"waiting for process {holder.pid} (`-c {tmp_path}`), which works on {tmp_path}"]


async def test_waiting_for_another_can_be_given_up(tmp_path: Path) -> None:
    async with held(tmp_path):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), reached(Target(data=tmp_path), tell=lambda _: None):
                pytest.fail("the folder is held")

        assert owner_of(tmp_path) is not None


async def test_a_folder_with_nothing_in_it_cannot_be_read_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no data of the service"):
        async with readable(Target(data=tmp_path / "data")):
            pytest.fail("there is nothing to read")

    assert not (tmp_path / "data").exists()


async def test_the_address_of_a_service_goes_before_the_folder(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")

    plain = target_of(tmp_path, {})
    named = target_of(tmp_path, {"YMIR_URL": "http://there:1", "YMIR_KEY": "secret"})
    in_file = target_of(tmp_path, {"YMIR_URL": "http://there:1", "YMIR_KEY_FILE": str(tmp_path / "key")})

    assert plain == Target(data=tmp_path)
    assert named == in_file == Target(data=tmp_path, url="http://there:1", key="secret")
    assert "secret" not in repr(named)


@pytest.mark.parametrize(
    ("environment", "wrong"),
    [
        ({"YMIR_URL": "http://there"}, "no key for it"),
        ({"YMIR_URL": "there:8080", "YMIR_KEY": "k"}, "no address"),
        ({"YMIR_URL": "http://there", "YMIR_KEY_FILE": "/does/not/exist"}, "cannot be read"),
    ],
)
def test_a_service_that_cannot_be_meant_is_told(environment: dict[str, str], wrong: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=wrong) as told:
        target_of(tmp_path, environment)

    assert told.value.step
