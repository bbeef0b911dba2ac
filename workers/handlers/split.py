"""Split: the assets of a version are dealt out to training, validation and test."""

import asyncio

from schemas.algebra_parameters import SplitParameters
from schemas.outcomes import Outcome
from storage.datasets.library import Library
from storage.datasets.split import dealt
from storage.datasets.strata import strata_of
from workers.drafts import given, version_of
from workers.work import Work


async def split(work: Work[SplitParameters], *, library: Library) -> Outcome:
    """Make a version with the same assets, dealt out anew by seed and shares."""
    asked = work.parameters
    source = await given(work.task, "/source", library=library)
    ids = await library.asset_ids(source.content)
    strata = None
    if asked.stratify:
        strata = await strata_of(source.content, ids=ids, library=library)
    content = await asyncio.to_thread(
        dealt,
        source.content,
        training=asked.training,
        validation=asked.validation,
        test=asked.test,
        seed=asked.seed,
        ids=ids,
        strata=strata,
    )
    return await version_of(asked, content, parents=[source.version], library=library)
