"""Sample: a seeded random part of a version."""

import asyncio

from schemas.algebra_parameters import Portion, SampleParameters
from schemas.counts import counted
from storage.datasets.content import Content
from storage.datasets.sample import sampled
from storage.datasets.strata import strata_of
from workers.steps.step import Applied, Inputs, Tools
from workers.steps.together import together_of


async def sample(asked: SampleParameters, inputs: Inputs, tools: Tools) -> Applied:
    """Keep the assets that are drawn: the same seed draws the same, however they are stored."""
    return await drawn(inputs["/source"], asked, tools=tools)


async def drawn(content: Content, portion: Portion, *, tools: Tools) -> Applied:
    """Return the part of a content that is drawn."""
    ids = await tools.library.asset_ids(content)
    strata = await strata_of(content, ids=ids, library=tools.library) if portion.stratify else None
    kept = await together_of(content, portion, library=tools.library)
    part = await asyncio.to_thread(sampled, content, portion, ids=ids, strata=strata, together=kept.label)
    wanted, there = portion.count or 0, content.image_count()
    warnings = (
        [f"The source has {counted(there, 'image')}, fewer than {wanted}: all are kept."] if wanted > there else []
    )
    if kept.label is not None and part.image_count() < min(wanted, there):
        warnings.append(
            f"Kept: {counted(part.image_count(), 'image')} instead of {wanted}: near-duplicates stay together."
        )
    return Applied(part, warnings=(*kept.warnings, *warnings))
