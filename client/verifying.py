"""The conformance kit on this machine, without a service: what runs executors, and what they are."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import JsonValue

from client.executor_folders import folder_named
from schemas.annotations import ObjectType
from schemas.conformance import Conformance
from schemas.errors import Invalid
from schemas.executors import Protocol, Purpose
from schemas.schema import new_id
from workers.executors.conformance.plans import Plan
from workers.executors.conformance.subjects import folder_subject, image_subject
from workers.executors.conformance.verify import verify
from workers.executors.docker import DockerRuntime
from workers.executors.engine import Engine
from workers.executors.images import Images
from workers.executors.process import ProcessRuntime

STAGE: Final = "given"


class Wanted(NamedTuple):
    """What of an executor is to be verified, and how."""

    purposes: frozenset[Purpose]
    config: Mapping[str, JsonValue]
    models: Sequence[Path]
    object_type: ObjectType | None
    gpus: int
    seconds: float
    is_quick: bool
    protocol: Protocol | None
    keep: Path | None
    """Where the folders of the runs stay; else they go."""

    def plan(self) -> Plan:
        """Return this as the kit takes it; raise Invalid for a model that is no file."""
        for path in self.models:
            if not path.is_file():
                raise Invalid(f"There is no file {str(path)!r}.", step="Name the files of a model with --model.")
        model = {f"{STAGE}/{path.name}": path for path in self.models}
        return Plan(
            purposes=self.purposes,
            config=self.config,
            model=model,
            object_type=self.object_type,
            gpus=self.gpus,
            seconds=self.seconds,
            is_quick=self.is_quick,
        )


async def verified(reference: str, wanted: Wanted, *, tell: Callable[[str], None]) -> Conformance:
    """Return the verdicts on a folder, or on an image if there is no such folder. Raises Invalid and Unavailable."""
    plan, folder = wanted.plan(), folder_named(reference)
    with _root(wanted.keep) as root:
        if folder is not None:
            subject = await folder_subject(folder, protocol=wanted.protocol)
            return await verify(subject, plan, runtime=ProcessRuntime(), root=root, tell=tell)
        engine = Engine()
        try:
            subject = await image_subject(reference, Images(engine), protocol=wanted.protocol)
            # A name of its own: whoever else uses the engine leaves these containers alone.
            runtime = DockerRuntime(engine, deployment=f"verify-{new_id()}")
            return await verify(subject, plan, runtime=runtime, root=root, tell=tell)
        finally:
            engine.close()


@contextmanager
def _root(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="ymir-verify-", ignore_cleanup_errors=True) as root:
        yield Path(root)
