"""What the container of a run is created with: everything is shut but what the contract needs."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from schemas.executors import Limits
from workers.executors.docker_settings import DockerSettings
from workers.executors.images import Image
from workers.executors.runtime import Order

DEFAULT_COMMAND: Final = ("bash", "/usr/bin/start.sh")
DEPLOYMENT: Final = "ymir.deployment"
TASK: Final = "ymir.task"
EPOCH: Final = "ymir.epoch"
OWNER: Final = "ymir.owner"
# Where the worker is root, its containers are not.
NOBODY_SPECIAL: Final = "10001:10001"
ROOT: Final = "0:0"
# Enough for what root does in an image with its own files and with those under /out.
OF_ROOT: Final = ("CHOWN", "DAC_OVERRIDE", "FOWNER")
SHARE_OF_MEMORY: Final = 0.8
# Half of what is usual: where processors are scarce, the service goes first.
CPU_SHARES: Final = 512
NVIDIA: Final = "nvidia"
CDI_GPU: Final = "nvidia.com/gpu="


class Machine(NamedTuple):
    """What the engine says of itself and its machine."""

    memory_bytes: int
    cpus: float
    is_rootless: bool
    has_cdi: bool

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> "Machine":
        """Return what ``docker info`` says."""
        security = info.get("SecurityOptions") or ()
        devices = [device.get("ID", "") for device in info.get("DiscoveredDevices") or ()]
        # Engines before 28.2 do not list their devices.
        presumed = bool(info.get("CDISpecDirs")) and NVIDIA not in (info.get("Runtimes") or {})
        return cls(
            memory_bytes=int(info["MemTotal"]),
            cpus=float(info["NCPU"]),
            is_rootless=any("rootless" in option for option in security),
            has_cdi=any(device.startswith(CDI_GPU) for device in devices) or presumed,
        )


def user_of(limits: Limits, settings: DockerSettings, machine: Machine) -> str:
    """Return whom a container runs as. In a rootless engine, its root is the user that the engine belongs to."""
    if limits.run_as_root or machine.is_rootless:
        return ROOT
    return settings.user or (f"{os.getuid()}:{os.getgid()}" if os.getuid() else NOBODY_SPECIAL)


def name_of(order: Order, deployment: str) -> str:
    """Return the name of an attempt's container."""
    return f"ymir-{deployment[:8]}-{order.task}-{order.epoch}"


def labels_of(order: Order, *, deployment: str, owner: str) -> dict[str, str]:
    """Return the labels by which a container is known as that of an attempt."""
    return {DEPLOYMENT: deployment, TASK: order.task, EPOCH: str(order.epoch), OWNER: owner}


def creation(
    order: Order, image: Image, *, settings: DockerSettings, machine: Machine, read_only: bool
) -> dict[str, Any]:
    """Return how the container of a run is created; ``host`` is its host configuration."""
    limits = order.executor.limits
    memory = limits.memory_bytes or settings.memory_bytes or int(machine.memory_bytes * SHARE_OF_MEMORY)
    output = limits.output_bytes or settings.output_bytes
    temporary = min(settings.temporary_bytes, memory)
    host: dict[str, Any] = {
        "network_mode": limits.network or "none",
        "security_opt": ["no-new-privileges:true"],
        "cap_drop": ["ALL"],
        "cap_add": list(OF_ROOT) if limits.run_as_root else [],
        "read_only": read_only,
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,exec,mode=1777,size={temporary}"},  # noqa: S108 - a mount of its own
        "mounts": [_bind("/in", order.folder.given, read_only=True), _bind("/out", order.folder.made)],
        "mem_limit": memory,
        "memswap_limit": memory,
        "nano_cpus": int(min(limits.cpus or settings.cpus or machine.cpus, machine.cpus) * 10**9),
        "cpu_shares": CPU_SHARES,
        "pids_limit": limits.processes or settings.processes,
        "shm_size": _shared_memory(order, settings, memory),
        "ipc_mode": "private",
        "ulimits": [_ulimit("core", 0), _ulimit("fsize", output)],
        # What it prints comes to us alone: the engine keeps no copy that could fill its disk.
        "log_config": {"type": "none", "config": {}},
        "device_requests": _gpus(order.devices, machine),
    }
    return {
        "command": None if image.command else list(DEFAULT_COMMAND),
        "user": user_of(limits, settings, machine),
        "environment": _environment(image),
        "healthcheck": {"test": ["NONE"]},
        "host": host,
    }


def _bind(target: str, source: object, *, read_only: bool = False) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(source),
        "Target": target,
        "ReadOnly": read_only,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _ulimit(name: str, limit: int) -> dict[str, Any]:
    return {"Name": name, "Soft": limit, "Hard": limit}


def _shared_memory(order: Order, settings: DockerSettings, memory: int) -> int:
    asked = order.shared_memory_bytes or settings.shared_memory_bytes * max(1, len(order.devices))
    return min(asked, order.executor.limits.shared_memory_bytes or asked, memory)


def _environment(image: Image) -> dict[str, str]:
    # The user has no entry in the image's list, so no home, and libraries write into it.
    home = {} if any(entry.startswith("HOME=") for entry in image.environment) else {"HOME": "/tmp"}  # noqa: S108
    return {**home, "PYTHONUNBUFFERED": "1"}


def _gpus(devices: Sequence[str], machine: Machine) -> list[dict[str, Any]]:
    if not devices:
        return []
    if machine.has_cdi:
        return [{"Driver": "cdi", "DeviceIDs": [f"{CDI_GPU}{device}" for device in devices]}]
    return [{"Driver": NVIDIA, "DeviceIDs": list(devices), "Capabilities": [["gpu"]]}]
