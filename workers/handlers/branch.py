"""Branch and revert: the content of a version as a new version, with nothing read or written."""

from schemas.algebra_parameters import BranchParameters, RevertParameters
from schemas.outcomes import Outcome, TaskResult
from schemas.schema import Id
from storage.datasets.library import Kept, Library
from workers.drafts import version_draft
from workers.work import Work


async def branch(work: Work[BranchParameters], *, library: Library) -> Outcome:
    """Begin a dataset with the content of the source."""
    return await _again(work, parents=(), library=library)


async def revert(work: Work[RevertParameters], *, library: Library) -> Outcome:
    """Follow the newest version, as it was when the task was accepted, by one with the content of the source."""
    return await _again(work, parents=(work.task.version_of("/dataset"),), library=library)


async def _again(
    work: Work[BranchParameters] | Work[RevertParameters], *, parents: tuple[Id, ...], library: Library
) -> Outcome:
    source = await library.version(work.task.version_of("/source"))
    kept = Kept(source.digest, source.manifest, source.counts)
    draft = version_draft(work.parameters, kept, parents=(*parents, source.id))
    return Outcome(records=(draft,), result=TaskResult(summary={"images": kept.counts.images}))
