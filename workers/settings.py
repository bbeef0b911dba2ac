"""Settings of a worker process."""

from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.parameters import Slot


class WorkerSettings(BaseSettings):
    """How a worker works; each is read from the environment, ``YMIR_`` before its name."""

    model_config = SettingsConfigDict(env_prefix="YMIR_", frozen=True, use_attribute_docstrings=True, extra="ignore")

    slots: dict[Slot, PositiveInt] = Field(default={Slot.DATA: 2, Slot.EXECUTOR: 2, Slot.SERVICE: 2})
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
    scratch: Path = Path("scratch")
    """Where attempts have their folders."""
    event_days: PositiveInt = 30
    """For how long events stay in the log."""
    upload_days: PositiveInt = 7
    """For how long an upload can be named by a task."""
    request_hours: PositiveInt = 24
    """For how long a repeated request with an idempotency key gets the answer of the first."""
