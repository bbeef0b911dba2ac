"""Merge: sources, or two lines of work, become one version."""

from schemas.algebra_parameters import MergeParameters
from schemas.outcomes import Outcome, Pause
from storage.datasets.library import Library
from storage.ports import Blobs, Database
from workers.handlers.transform import transform
from workers.merging.lines import merge_lines
from workers.work import Work


async def merge(work: Work[MergeParameters], *, library: Library, blobs: Blobs, database: Database) -> Outcome | Pause:
    """Join the sources, or two lines of work, into one new version; what stands against that is in the report."""
    if work.parameters.ours is not None:
        return await merge_lines(work, library=library, blobs=blobs, database=database)
    return await transform(work, library=library, blobs=blobs, database=database)
