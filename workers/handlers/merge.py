"""Merge: sources become one version."""

from schemas.algebra_parameters import MergeParameters
from schemas.errors import Invalid
from schemas.outcomes import Outcome
from storage.datasets.library import Library
from storage.ports import Blobs, Database
from workers.handlers.transform import transform
from workers.work import Work


async def merge(work: Work[MergeParameters], *, library: Library, blobs: Blobs, database: Database) -> Outcome:
    """Join the sources into one new version; under ``stop``, fail with every conflict in the report."""
    if work.parameters.ours is not None:
        raise Invalid("This release merges sources only.", step="Give sources, and a strategy for what both have.")
    return await transform(work, library=library, blobs=blobs, database=database)
