"""The GPUs of this machine, as NVIDIA's management library (NVML) tells of them."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import structlog

from schemas.hosts import HostGpu

NO_DRIVER: Final = ("NVMLError_LibraryNotFound", "NVMLError_DriverNotLoaded", "NVMLError_FunctionNotFound")

log = structlog.get_logger(__name__)


class Gpu(NamedTuple):
    """A GPU, or a part that its owner made of one (MIG), and its memory as it is now."""

    uuid: str
    number: int
    name: str
    total_bytes: int
    free_bytes: int

    def described(self) -> HostGpu:
        """Return what lasts of it."""
        return HostGpu(uuid=self.uuid, index=self.number, name=self.name, memory_bytes=self.total_bytes)


class Nvml:
    """Asks the library; where there is none, or no driver, there are no GPUs, and that is said once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library: Any = None
        self._is_absent = False
        self._said = ""

    async def gpus(self) -> tuple[Gpu, ...]:
        """Return the GPUs that this process may see, by their numbers."""
        return () if self._is_absent else await asyncio.to_thread(self._read)

    def _read(self) -> tuple[Gpu, ...]:
        import pynvml  # noqa: PLC0415 - most machines have no use for it

        with self._lock:
            try:
                if self._library is None:
                    pynvml.nvmlInit()
                    self._library = pynvml
                found = tuple(_found(pynvml))
            except pynvml.NVMLError as error:
                self._broken(error)
                return ()
            self._said = ""
            return found

    def _broken(self, error: Exception) -> None:
        # A driver that is loaded anew wants the library to begin anew.
        self._library = None
        self._is_absent = type(error).__name__ in NO_DRIVER
        if str(error) != self._said:
            say = log.info if self._is_absent else log.warning
            say("no GPU is given out by this worker", reason=str(error))
        self._said = str(error)


def _found(nvml: Any) -> Iterator[Gpu]:  # noqa: ANN401 - the library has no types
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            device = nvml.nvmlDeviceGetHandleByIndex(index)
            for part in _parts(nvml, device) or [device]:
                memory = nvml.nvmlDeviceGetMemoryInfo(part)
                uuid, name = nvml.nvmlDeviceGetUUID(part), nvml.nvmlDeviceGetName(device)
                yield Gpu(uuid, index, name, memory.total, memory.free)
        except (nvml.NVMLError_GpuIsLost, nvml.NVMLError_Unknown, nvml.NVMLError_NoPermission) as error:
            log.warning("a GPU does not answer and is left out", gpu=index, reason=str(error))


def _parts(nvml: Any, device: Any) -> list[Any]:  # noqa: ANN401 - the library has no types
    """Return what a GPU is divided into by MIG: it cannot be used as a whole then."""
    try:
        if nvml.nvmlDeviceGetMigMode(device)[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return []
    except nvml.NVMLError_NotSupported:
        return []
    parts = []
    for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(device)):
        try:
            parts.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(device, number))
        except nvml.NVMLError_NotFound:
            continue
    return parts
