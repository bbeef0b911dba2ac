"""Executors: registered programs that train, mine or infer by the container contract."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field, JsonValue, PositiveFloat, PositiveInt

from schemas.annotations import ObjectType
from schemas.projects import Description
from schemas.schema import Digest, Document, Id, Instant, Name, Schema

NOT_OF_ITS_OWN: Final = frozenset({"host", "none", "default"})


def _is_a_network(name: str) -> str:
    """Return the name of a network that a container can join without seeing all that the host sees."""
    if name in NOT_OF_ITS_OWN:
        message = "it must be a network of the engine such as bridge, not the host's own"
        raise ValueError(message)
    return name


NetworkName = Annotated[Name, AfterValidator(_is_a_network)]


class Runtime(StrEnum):
    """How an executor runs: a folder as a local process, or an image in a container."""

    PROCESS = "process"
    DOCKER = "docker"


class Purpose(StrEnum):
    """What an executor can do; it can what it has a template for."""

    TRAINING = "training"
    MINING = "mining"
    INFER = "infer"


class Protocol(StrEnum):
    """The layouts of the container contract, by the ``protocol_version`` that env.yaml has for each."""

    V0_0 = "0.0.0"
    """That of YMIR 0.2 to 1.1, which named none."""
    V1_0 = "1.0.0"
    """That of YMIR 1.2 and 1.3."""
    V1_1 = "1.1.0"
    """That of YMIR 2.0 and later."""


Templates = dict[Purpose, dict[str, JsonValue]]
"""The parameters of each thing that an executor can do, with their defaults."""


class Limits(Schema):
    """What a run may use; None is the deployment's own limit."""

    seconds: PositiveFloat | None = None
    """How long it may take."""
    memory_bytes: PositiveInt | None = None
    """How much memory it may have in use."""
    output_bytes: PositiveInt | None = None
    """Bytes that it may write under ``/out``."""
    layer_bytes: PositiveInt | None = None
    """Bytes that it may write elsewhere in its container, which are gone with it."""
    shared_memory_bytes: PositiveInt | None = None
    """The size of ``/dev/shm`` at most, whatever a configuration asks for with ``shm_size``."""
    cpus: PositiveFloat | None = None
    """How many processors' time it gets."""
    processes: PositiveInt | None = None
    """Processes and threads at once."""
    network: NetworkName | None = None
    """A network of the Docker engine, such as ``bridge``, that a container joins; None: it has no network."""
    run_as_root: bool = False
    """Whether a container runs as root: without new privileges, and with no capability but to handle files."""


class ExecutorSubmission(Schema):
    """An executor to register; its templates and manifest are read from it."""

    name: Name
    runtime: Runtime = Runtime.PROCESS
    reference: Annotated[str, Field(min_length=1, max_length=500)]
    """The image, or the folder with ``img-man/`` and ``start.sh``."""
    description: Description = ""
    protocol: Protocol | None = None
    """The layout that it is run by; when not given, the one that its manifest asks for."""
    limits: Limits = Limits()


class ExecutorChange(Schema):
    """What can change in an executor; what is left out stays. Its templates are read again."""

    description: Description | None = None
    protocol: Protocol | None = None
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
    templates: Templates
    """Those for every object type that has none of its own."""
    type_templates: dict[ObjectType, Templates] = {}
    """Those for one object type alone."""
    protocol: Protocol | None = None
    """The layout that it asks for. Without a word of it, it gets that of 1.1.0 and the paths of the older ones."""
    read_only_root: bool = False
    """Whether it runs on a root that cannot be written to."""
    is_livecode: bool = False
    """Whether it runs code that it fetches."""
    limits: Limits = Limits()
    created_at: Instant

    def templates_for(self, object_type: ObjectType) -> Templates:
        """Return what it can do in projects of an object type, with the parameters for that."""
        return self.type_templates.get(object_type) or self.templates
