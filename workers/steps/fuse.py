"""Fuse: merge, then filter, then sample, as one step."""

from schemas.algebra_parameters import FuseParameters
from workers.steps.filter import matching_content
from workers.steps.merge import joined, told
from workers.steps.sample import drawn
from workers.steps.step import Applied, Inputs, Refusal, Tools


async def fuse(asked: FuseParameters, inputs: Inputs, tools: Tools) -> Applied | Refusal:
    """Join the sources, and filter and sample that where it is asked for."""
    applied = told(await joined(asked, inputs, tools), asked.strategy)
    if isinstance(applied, Refusal):
        return applied
    if asked.conditions is not None:
        content = await matching_content(applied.content, asked.conditions, tools=tools)
        applied = applied._replace(content=content)
    if asked.portion is not None:
        portion = await drawn(applied.content, asked.portion, tools=tools)
        applied = applied._replace(content=portion.content, warnings=(*applied.warnings, *portion.warnings))
    return applied
