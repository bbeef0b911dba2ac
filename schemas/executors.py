"""Executors: registered programs that train, mine or infer by the container contract."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue, PositiveFloat, PositiveInt

from schemas.annotations import ObjectType
from schemas.projects import Description
from schemas.schema import Digest, Document, Id, Instant, Name, Schema


class Runtime(StrEnum):
    """How an executor runs: a folder as a local process, or an image in a container."""

    PROCESS = "process"
    DOCKER = "docker"


class Purpose(StrEnum):
    """What an executor can do; it can what it has a template for."""

    TRAINING = "training"
    MINING = "mining"
    INFER = "infer"


class Limits(Schema):
    """What a run may use; None is the deployment's own limit."""

    seconds: PositiveFloat | None = None
    memory_bytes: PositiveInt | None = None
    output_bytes: PositiveInt | None = None


class ExecutorSubmission(Schema):
    """An executor to register; its templates and manifest are read from it."""

    name: Name
    runtime: Runtime = Runtime.PROCESS
    reference: Annotated[str, Field(min_length=1, max_length=500)]
    """The image, or the folder with ``img-man/`` and ``start.sh``."""
    description: Description = ""
    limits: Limits = Limits()


class ExecutorChange(Schema):
    """What can change in an executor; what is left out stays. Its templates are read again."""

    description: Description | None = None
    limits: Limits | None = None


class Executor(Document):
    """A registered executor."""

    KIND: ClassVar[str] = "executor"
    INDEXED: ClassVar[tuple[str, ...]] = ("name", "created_at")
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("name",),)

    id: Id
    name: str
    runtime: Runtime
    reference: str
    digest: Digest | None = None
    """That of its files, or of the image."""
    description: str = ""
    object_types: tuple[ObjectType, ...]
    templates: dict[Purpose, dict[str, JsonValue]]
    limits: Limits = Limits()
    created_at: Instant
