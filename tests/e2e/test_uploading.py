"""An upload whose service is killed in the middle arrives, and what arrived before is not sent again."""

import asyncio
import os
from pathlib import Path

import pytest

from client.uploading import upload
from schemas.uploads import Upload
from tests.e2e.service import Service, served

SIZE = 60 << 20
KILLS = (12 << 20, 30 << 20, 50 << 20)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_an_upload_survives_a_service_that_is_killed_three_times(tmp_path: Path) -> None:
    data = os.urandom(SIZE)
    (tmp_path / "file.bin").write_bytes(data)
    left, restarts, told = [*KILLS], list[asyncio.Task[None]](), list[int]()

    async with served(tmp_path / "data", import_root=tmp_path) as service, service.client() as client:

        def seen(done: int, _: int | None) -> None:
            told.append(done)
            if left and done >= left[0]:
                left.pop(0)
                restarts.append(asyncio.create_task(restarted(service)))

        sent = await upload(client, tmp_path / "file.bin", seen=seen)

        await asyncio.gather(*restarts)
        kept = await client.get(Upload, f"/v1/uploads/{sent.id}")

    assert len(restarts) == len(KILLS)
    assert told == sorted(told)
    assert kept == sent
    path = tmp_path / "data" / "blobs" / sent.blob.digest[-2:] / sent.blob.digest.removeprefix("sha256:")
    assert path.read_bytes() == data


async def restarted(service: Service) -> None:
    await service.kill()
    await service.start()
