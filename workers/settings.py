"""Settings of a worker process."""

from pathlib import Path

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.parameters import Slot
from storage.public_addresses import Networks
from storage.settings import Folders


class WorkerSettings(BaseSettings):
    """How a worker works; each is read from the environment, ``YMIR_`` before its name."""

    model_config = SettingsConfigDict(env_prefix="YMIR_", frozen=True, use_attribute_docstrings=True, extra="ignore")

    slots: dict[Slot, PositiveInt] = Field(default={Slot.DATA: 2, Slot.EXECUTOR: 2, Slot.SERVICE: 8, Slot.DELIVERY: 64})
    """How many tasks of each kind run at once, as JSON."""
    beat_seconds: PositiveFloat = 5.0
    """How often the owner of a task shows that it lives."""
    progress_seconds: PositiveFloat = 1.0
    """How often changed progress is kept and announced, at most."""
    orphan_seconds: PositiveFloat = 30.0
    """For how long a running task must be seen without a beat before it is taken."""
    tell_seconds: PositiveFloat = 5.0
    """How long telling the world of a task may take before that is left to the sweep."""
    grace_seconds: PositiveFloat = 8.0
    """How long a worker that is to end gives its tasks to stop and be handed over."""
    sweep_seconds: PositiveFloat = 2.0
    """How often the sweep looks."""
    idle_seconds: PositiveFloat = 10.0
    """After how long without a free slot a consumer hands back what it was given."""
    work: Path = Path("work")
    """Where attempts have their folders and workers their caches; a container sees it under the path of its host."""
    cache_bytes: PositiveInt = 16 * 2**30
    """How many bytes of blobs a worker keeps in its cache."""
    process_executors: Folders = ()
    """The folders of executors that run as local processes, separated as in ``PATH``; they are registered at start.

    A process is no sandbox: whoever can change these folders can do whatever the worker can.
    """
    worker: str = ""
    """The name of the worker in tasks and logs; one is made from the host's if it is empty."""
    machine: str = ""
    """The name of the machine, the same for all its workers: they share out its GPUs.

    If it is empty, workers on one kernel know that they are on one machine, also in containers.
    """
    health_host: str = "127.0.0.1"
    """The address at which the worker tells how it is."""
    health_port: NonNegativeInt = 0
    """The port of ``/healthz``, ``/readyz`` and ``/metrics``, which need no key; 0: none."""
    webhook_networks: Networks = ()
    """Networks that are not public and that webhooks may be in all the same: ``10.1.0.0/16,127.0.0.0/8``."""
    webhook_seconds: PositiveFloat = 15.0
    """How long an endpoint may take to answer."""
    webhook_at_once: PositiveInt = 4
    """How many deliveries to one webhook a worker has under way at once."""
    event_days: PositiveInt = 30
    """For how long events stay in the log."""
    upload_days: PositiveInt = 7
    """For how long an upload can be named by a task."""
    request_hours: PositiveInt = 24
    """For how long a repeated request with an idempotency key gets the answer of the first."""
    letter_days: PositiveInt = 30
    """For how long a dead letter is kept after it came last."""

    @property
    def scratch(self) -> Path:
        """Where attempts have their folders."""
        return self.work / "scratch"

    @property
    def cache(self) -> Path:
        """Where blobs are cached."""
        return self.work / "cache"
