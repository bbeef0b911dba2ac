"""Exclude: a version without the assets of others."""

import asyncio

from schemas.algebra_parameters import ExcludeParameters
from schemas.outcomes import Outcome
from storage.datasets.exclude import excluded
from storage.datasets.library import Library
from workers.drafts import all_given, given, version_of
from workers.work import Work


async def exclude(work: Work[ExcludeParameters], *, library: Library) -> Outcome:
    """Make a version of the assets of the source that none of the others has."""
    source = await given(work.task, "/source", library=library)
    unwanted = await all_given(work.task, "/exclude/{}", len(work.parameters.exclude), library=library)
    others = [other.content for other in unwanted]
    ids = await library.asset_ids(source.content, *others)
    content = await asyncio.to_thread(excluded, source.content, others, ids=ids)
    parents = [source.version, *(other.version for other in unwanted)]
    return await version_of(work.parameters, content, parents=parents, library=library)
