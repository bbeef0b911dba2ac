"""What a container is created with, where no engine of the tests could show it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.executors import Executor, Limits
from tests.factories import NOON
from workers.executors.containers import Machine, creation, user_of
from workers.executors.docker_settings import DockerSettings
from workers.executors.images import Image
from workers.executors.layout import RunFolder
from workers.executors.runtime import Order

SETTINGS = DockerSettings()
INFO: Mapping[str, Any] = {"MemTotal": 10 << 30, "NCPU": 4, "SecurityOptions": ["name=seccomp"]}
IMAGE = Image("sha256:" + "0" * 64, "sha256:" + "0" * 64, {}, ("run",), ("PATH=/bin",))
GPU = "GPU-5d1f"
GIBIBYTE = 1 << 30


def created(*, info: Mapping[str, Any] = INFO, image: Image = IMAGE, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of an order
    limits = changes.pop("limits", {})
    executor = Executor.model_validate(
        {
            "id": "0" * 32,
            "name": "x",
            "runtime": "docker",
            "reference": "x",
            "object_types": ["detection"],
            "templates": {},
            "limits": limits,
            "created_at": NOON,
        }
    )
    order = Order(executor, RunFolder(Path("/work/attempt")), "1" * 32, 1, **changes)
    return creation(order, image, settings=SETTINGS, machine=Machine.of(info), read_only=False)


def test_without_a_lease_there_is_no_gpu() -> None:
    assert created()["host"]["device_requests"] == []


def test_leased_gpus_are_asked_for_by_their_ids_of_the_runtime_of_nvidia() -> None:
    info = {**INFO, "Runtimes": {"nvidia": {}}, "CDISpecDirs": ["/etc/cdi"]}

    assert created(info=info, devices=[GPU])["host"]["device_requests"] == [
        {"Driver": "nvidia", "DeviceIDs": [GPU], "Capabilities": [["gpu"]]}
    ]


@pytest.mark.parametrize(
    "known",
    [{"CDISpecDirs": ["/etc/cdi"]}, {"DiscoveredDevices": [{"Source": "cdi", "ID": f"nvidia.com/gpu={GPU}"}]}],
)
def test_leased_gpus_are_asked_for_by_cdi_where_the_engine_has_it(known: Mapping[str, Any]) -> None:
    assert created(info={**INFO, **known}, devices=[GPU])["host"]["device_requests"] == [
        {"Driver": "cdi", "DeviceIDs": [f"nvidia.com/gpu={GPU}"]}
    ]


def test_shared_memory_is_what_is_asked_for_within_what_is_allowed() -> None:
    more = {**INFO, "MemTotal": 100 * GIBIBYTE}

    sizes = [
        created(info=more)["host"]["shm_size"],
        created(info=more, devices=["a", "b"])["host"]["shm_size"],
        created(info=more, shared_memory_bytes=GIBIBYTE)["host"]["shm_size"],
        created(info=more, shared_memory_bytes=9 << 30, limits={"shared_memory_bytes": 2 << 30})["host"]["shm_size"],
        created()["host"]["shm_size"],
    ]

    assert sizes == [16 << 30, 32 << 30, 1 << 30, 2 << 30, 8 << 30]


def test_an_administrator_allows_a_network_and_root_by_name() -> None:
    host = created(limits={"network": "bridge", "run_as_root": True})["host"]

    assert host["network_mode"] == "bridge"
    assert host["cap_drop"] == ["ALL"]
    assert host["cap_add"] == ["CHOWN", "DAC_OVERRIDE", "FOWNER"]
    assert host["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("network", ["host", "none", "default", "container:other", "", "../x"])
def test_no_network_of_the_host_or_of_another_container_can_be_allowed(network: str) -> None:
    with pytest.raises(ValidationError):
        Limits(network=network)


def test_an_image_without_a_command_runs_the_script_of_the_contract() -> None:
    assert created()["command"] is None
    assert created(image=IMAGE._replace(command=()))["command"] == ["bash", "/usr/bin/start.sh"]


def test_a_home_of_the_image_stays() -> None:
    assert created()["environment"]["HOME"] == "/tmp"  # noqa: S108 - in the container
    assert "HOME" not in created(image=IMAGE._replace(environment=("HOME=/home/me",)))["environment"]


@pytest.mark.parametrize(
    ("worker", "info", "limits", "user"),
    [
        (1000, INFO, Limits(), "1000:1000"),
        (0, INFO, Limits(), "10001:10001"),
        (1000, INFO, Limits(run_as_root=True), "0:0"),
        (1000, {**INFO, "SecurityOptions": ["name=rootless"]}, Limits(), "0:0"),
    ],
)
def test_a_container_runs_as_the_worker_and_as_nobody_special_where_that_is_root(
    monkeypatch: pytest.MonkeyPatch, worker: int, info: Mapping[str, Any], limits: Limits, user: str
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: worker)
    monkeypatch.setattr(os, "getgid", lambda: worker)

    assert user_of(limits, SETTINGS, Machine.of(info)) == user
