"""Split: the assets of a version dealt out to training, validation and test."""

import asyncio

from schemas.algebra_parameters import SplitParameters
from storage.datasets.split import dealt
from storage.datasets.strata import strata_of
from workers.steps.step import Applied, Inputs, Tools


async def split(asked: SplitParameters, inputs: Inputs, tools: Tools) -> Applied:
    """Deal the same assets out anew, by seed and shares."""
    source = inputs["/source"]
    ids = await tools.library.asset_ids(source)
    strata = await strata_of(source, ids=ids, library=tools.library) if asked.stratify else None
    content = await asyncio.to_thread(
        dealt,
        source,
        training=asked.training,
        validation=asked.validation,
        test=asked.test,
        seed=asked.seed,
        ids=ids,
        strata=strata,
    )
    return Applied(content)
