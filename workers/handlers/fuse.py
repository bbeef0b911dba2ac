"""Fuse: merge, then filter, then sample, as one step with one version."""

from schemas.algebra_parameters import FuseParameters
from schemas.outcomes import Outcome
from storage.datasets.library import Library
from storage.ports import Blobs, Database
from workers.drafts import version_of
from workers.handlers.filter import matching_content
from workers.handlers.merge import conflicting, dropped_predictions, joined_sources
from workers.handlers.sample import sampled_content
from workers.work import Work


async def fuse(work: Work[FuseParameters], *, library: Library, blobs: Blobs, database: Database) -> Outcome:
    """Make one version of the merged sources, filtered and sampled where that is asked for."""
    asked, project = work.parameters, work.task.project
    sources, joined = await joined_sources(work, library=library)
    if joined.conflicts:
        return await conflicting(joined, blobs=blobs)
    content = joined.content
    if asked.conditions is not None:
        content = await matching_content(
            content, asked.conditions, project=project, library=library, blobs=blobs, database=database
        )
    if asked.portion is not None:
        content = await sampled_content(content, asked.portion, library=library)
    parents = [source.version for source in sources]
    return await version_of(asked, content, parents=parents, library=library, warnings=dropped_predictions(joined))
