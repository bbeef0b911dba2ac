"""Split: the assets of a version dealt out to training, validation and test."""

import asyncio

from schemas.algebra_parameters import SplitParameters
from storage.datasets.split import dealt
from storage.datasets.strata import strata_of
from workers.steps.guard import guarded, with_guard
from workers.steps.step import Applied, Inputs, Refusal, Tools
from workers.steps.together import together_of


async def split(asked: SplitParameters, inputs: Inputs, tools: Tools) -> Applied | Refusal:
    """Deal the same assets out anew, by seed and shares."""
    source = inputs["/source"]
    ids = await tools.library.asset_ids(source)
    strata = await strata_of(source, ids=ids, library=tools.library) if asked.stratify else None
    kept = await together_of(source, asked, library=tools.library)
    content = await asyncio.to_thread(
        dealt,
        source,
        training=asked.training,
        validation=asked.validation,
        test=asked.test,
        seed=asked.seed,
        ids=ids,
        strata=strata,
        together=kept.label,
    )
    applied = Applied(content, warnings=kept.warnings)
    # What is kept together is in one split: there is nothing to be found.
    return (
        applied if kept.label is not None else with_guard(applied, await guarded(content, asked, library=tools.library))
    )
