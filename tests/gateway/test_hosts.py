"""Machines with GPUs over HTTP: for administrators only."""

import pytest

from gateway.services import Services
from schemas.hosts import GpuLease, Host, HostGpu
from schemas.schema import new_id
from tests.factories import NOON
from tests.gateway.api import MEMBER, VIEWER, Api


async def test_machines_are_listed_by_name_with_what_they_have_and_who_has_it(api: Api, services: Services) -> None:
    gpu = HostGpu(uuid="GPU-a", index=0, name="H100", memory_bytes=80 * 2**30)
    lease = GpuLease(task=new_id(), epoch=1, gpu="GPU-a", since=NOON)
    hosts = services.database.documents(Host)
    await hosts.add(Host(id=new_id(), name="two", seen_at=NOON))
    await hosts.add(Host(id=new_id(), name="one", gpus=(gpu,), leases=(lease,), seen_at=NOON))

    listed = await api.get("/v1/hosts")

    assert [host["name"] for host in listed["items"]] == ["one", "two"]
    assert listed["items"][0]["gpus"] == [{"uuid": "GPU-a", "index": 0, "name": "H100", "memory_bytes": 80 * 2**30}]
    assert listed["items"][0]["leases"][0]["task"] == lease.task


@pytest.mark.parametrize("secret", [MEMBER, VIEWER])
async def test_machines_are_for_administrators_only(api: Api, secret: str) -> None:
    await api.bearing(secret).get("/v1/hosts", expect=403)
