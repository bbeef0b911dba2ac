"""Pull an executor: an image is fetched, read and registered by a worker that has an engine."""

from pydantic import JsonValue

from schemas.errors import Invalid, Unavailable
from schemas.exchange_parameters import PullExecutorParameters
from schemas.executors import ExecutorSubmission, Runtime
from schemas.outcomes import ExecutorRecord, Outcome, TaskResult
from schemas.schema import derived_id
from workers.executors.image_manual import inspect_image
from workers.executors.images import Images
from workers.work import Work


async def pull_executor(work: Work[PullExecutorParameters], *, images: Images | None, is_alone: bool) -> Outcome:
    """Return the executor that an image is; raise Invalid if it is none, Unavailable where no engine is.

    ``is_alone``: no other worker may have an engine, so that it is Invalid to ask for an image.
    """
    if images is None:
        step = "Start one." if is_alone else "Start a worker on a machine that has one, or an engine here."
        raise (Invalid if is_alone else Unavailable)("This worker has no Docker engine.", step=step)
    parameters = work.parameters
    work.progress(0.0, "pulling")
    submission = ExecutorSubmission(
        name=parameters.name,
        runtime=Runtime.DOCKER,
        reference=parameters.reference,
        description=parameters.description,
        protocol=parameters.protocol,
        limits=parameters.limits,
    )
    found = await inspect_image(submission, images=images, at=work.now())
    executor = found.model_copy(update={"id": derived_id("executor", work.task.id)})
    summary: dict[str, JsonValue] = {
        "digest": executor.digest,
        "purposes": [str(purpose) for purpose in executor.templates],
        "object_types": [str(kind) for kind in executor.object_types],
    }
    return Outcome(records=(ExecutorRecord(executor=executor),), result=TaskResult(summary=summary))
