"""Transform: the handler of every task whose step makes a version out of versions."""

from schemas.outcomes import Outcome
from schemas.parameters import MakesVersion
from schemas.problems import Problem
from storage.datasets.library import Library
from storage.ports import Blobs, Database
from workers.drafts import given, reported, version_of
from workers.steps.step import Refusal, Tools
from workers.steps.table import STEPS
from workers.work import Work


async def transform(work: Work[MakesVersion], *, library: Library, blobs: Blobs, database: Database) -> Outcome:
    """Apply the step of a task to what it was given and make a version of that; or fail, with all in the report.

    Writes only blobs, named by their content; the version becomes visible when the consumer, still owning the task,
    records the outcome. So it may run any number of times.
    """
    asked, task = work.parameters, work.task
    step = STEPS[task.parameters.type]
    work.progress(0.1, "reading")
    sources = {pointer: await given(task, pointer, library=library) for pointer, _ in asked.refs()}
    contents = {pointer: source.content for pointer, source in sources.items()}
    applied = await step.apply(asked, contents, Tools(task.project, library, blobs, database))
    report = await reported(applied.summary, applied.findings, blobs=blobs)
    if isinstance(applied, Refusal):
        return Outcome(problem=Problem.of(applied.error, status=409), report=report)
    work.progress(0.7, "keeping the version")
    outcome = await version_of(
        asked,
        applied.content,
        parents=[source.version for pointer, source in sources.items() if pointer.startswith(step.parents)],
        library=library,
        summary=applied.summary,
        report=report,
        warnings=applied.warnings,
    )
    return outcome.model_copy(update={"new_classes": applied.new_classes})
