"""A stand-in for NVIDIA's library: it tells of the GPUs that a JSON file describes, anew each time it is asked."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

NVML_DEVICE_MIG_ENABLE = 1
Device = Mapping[str, Any]


class NVMLError(Exception):
    """What every error of the library is."""


class NVMLError_LibraryNotFound(NVMLError):
    """There is no driver on this machine."""


class NVMLError_NotSupported(NVMLError):
    """The device cannot do that."""


class NVMLError_NotFound(NVMLError):
    """There is no such part."""


class NVMLError_GpuIsLost(NVMLError):
    """It has fallen off the bus."""


class NVMLError_Unknown(NVMLError):
    """It answers nonsense."""


class NVMLError_NoPermission(NVMLError):
    """It is somebody else's."""


class Memory(NamedTuple):
    """Bytes of a device."""

    total: int
    free: int


def nvmlInit() -> None:
    if not _file().exists():
        message = "NVML Shared Library Not Found"
        raise NVMLError_LibraryNotFound(message)


def nvmlDeviceGetCount() -> int:
    return len(_devices())


def nvmlDeviceGetHandleByIndex(index: int) -> Device:
    device = _devices()[index]
    if device.get("lost"):
        message = "GPU is lost"
        raise NVMLError_GpuIsLost(message)
    return device


def nvmlDeviceGetUUID(device: Device) -> str:
    return str(device["uuid"])


def nvmlDeviceGetName(device: Device) -> str:
    return str(device.get("name", "Fake GPU"))


def nvmlDeviceGetMemoryInfo(device: Device) -> Memory:
    return Memory(device["total"], device.get("free", device["total"]))


def nvmlDeviceGetMigMode(device: Device) -> tuple[int, int]:
    if "parts" not in device:
        message = "Not Supported"
        raise NVMLError_NotSupported(message)
    return NVML_DEVICE_MIG_ENABLE, NVML_DEVICE_MIG_ENABLE


def nvmlDeviceGetMaxMigDeviceCount(_: Device) -> int:
    return 7


def nvmlDeviceGetMigDeviceHandleByIndex(device: Device, number: int) -> Device:
    if number >= len(device["parts"]):
        message = "Not Found"
        raise NVMLError_NotFound(message)
    part: Device = device["parts"][number]
    return part


def _file() -> Path:
    return Path(os.environ["FAKE_GPUS"])


def _devices() -> list[Device]:
    devices: list[Device] = json.loads(_file().read_text())
    return devices
