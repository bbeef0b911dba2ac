"""Settings of the containers that executors run in."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

GIBIBYTE: Final = 1 << 30
SOCKET: Final = Path("/var/run/docker.sock")


class DockerUse(StrEnum):
    """Whether a worker runs executors in containers."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class DockerSettings(BaseSettings):
    """What a container may use unless its executor's own limits say otherwise; read with ``YMIR_DOCKER_`` before."""

    model_config = SettingsConfigDict(
        env_prefix="YMIR_DOCKER_", frozen=True, use_attribute_docstrings=True, extra="ignore"
    )

    runtime: DockerUse = DockerUse.AUTO
    """Whether executors run in containers: ``on``, ``off``, or ``auto``: where an engine is found at start.

    The engine is that of ``DOCKER_HOST``, or of its usual socket.
    """
    user: Annotated[str, Field(pattern=r"^(\d+:\d+)?$")] = ""
    """The ``uid:gid`` in containers: the worker's own if this is empty, or 10001:10001 where the worker is root's."""
    seconds: PositiveFloat = 7 * 24 * 3600.0
    """How long a run may take."""
    memory_bytes: PositiveInt | None = None
    """The memory of a container, swap included; 80 % of the machine's if this is not set."""
    cpus: PositiveFloat | None = None
    """The processors of a container; all that the machine has if this is not set."""
    processes: PositiveInt = 4096
    """How many processes and threads a container may have at once."""
    output_bytes: PositiveInt = 20 * GIBIBYTE
    """How many bytes a run may write under ``/out``."""
    layer_bytes: PositiveInt = 10 * GIBIBYTE
    """How many bytes a run may write elsewhere in its container."""
    temporary_bytes: PositiveInt = 4 * GIBIBYTE
    """The size of ``/tmp``, which is memory."""
    shared_memory_bytes: PositiveInt = 16 * GIBIBYTE
    """The size of ``/dev/shm`` for each GPU, where a configuration has no ``shm_size``; it is memory too."""
    log_bytes: PositiveInt = 16 << 20
    """The beginning of the output that is kept; beyond it only the end is."""
    grace_seconds: NonNegativeFloat = 5.0
    """Between being asked to end and being killed."""
    poll_seconds: PositiveFloat = 0.5
    """How often progress is read, and limits are looked after."""
    reap_seconds: PositiveFloat = 10.0
    """How often containers are looked for that outlived their task."""
    deployment: str = ""
    """What tells our containers from those of another deployment on the same engine; made of its stores if empty."""

    @property
    def is_offered(self) -> bool:
        """Whether executors run in containers here."""
        if self.runtime is DockerUse.AUTO:
            return bool(os.environ.get("DOCKER_HOST")) or os.access(SOCKET, os.R_OK | os.W_OK)
        return self.runtime is DockerUse.ON
