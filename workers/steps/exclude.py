"""Exclude: the assets of a version that none of others has."""

import asyncio

from schemas.algebra_parameters import ExcludeParameters
from storage.datasets.exclude import excluded
from workers.steps.step import Applied, Inputs, Tools, inputs_below


async def exclude(_: ExcludeParameters, inputs: Inputs, tools: Tools) -> Applied:
    """Keep the assets of the source that none of the others has."""
    source, others = inputs["/source"], inputs_below(inputs, "/exclude")
    ids = await tools.library.asset_ids(source, *others)
    return Applied(await asyncio.to_thread(excluded, source, others, ids=ids))
