"""The conformance kit on this machine, without a service: what runs executors, and what they are."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import JsonValue

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
    gpus: int
    seconds: float
    is_quick: bool
    protocol: Protocol | None

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
            gpus=self.gpus,
            seconds=self.seconds,
            is_quick=self.is_quick,
        )


async def verified(reference: str, wanted: Wanted, *, tell: Callable[[str], None]) -> Conformance:
    """Return the verdicts on a folder, or on an image if there is no such folder. Raises Invalid and Unavailable."""
    plan, folder = wanted.plan(), Path(reference)
    with tempfile.TemporaryDirectory(prefix="ymir-verify-", ignore_cleanup_errors=True) as root:
        if folder.is_dir():  # noqa: ASYNC240 - a look at a path of the user's, in a process that does this one thing
            subject = await folder_subject(folder, protocol=wanted.protocol)
            return await verify(subject, plan, runtime=ProcessRuntime(), root=Path(root), tell=tell)
        engine = Engine()
        try:
            subject = await image_subject(reference, Images(engine), protocol=wanted.protocol)
            # A name of its own: whoever else uses the engine leaves these containers alone.
            runtime = DockerRuntime(engine, deployment=f"verify-{new_id()}")
            return await verify(subject, plan, runtime=runtime, root=Path(root), tell=tell)
        finally:
            engine.close()
