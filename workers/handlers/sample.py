"""Sample: a seeded random part of a version becomes a version."""

import asyncio

from schemas.algebra_parameters import Portion, SampleParameters
from schemas.outcomes import Outcome
from storage.datasets.content import Content
from storage.datasets.library import Library
from storage.datasets.sample import sampled
from storage.datasets.strata import strata_of
from workers.drafts import given, version_of
from workers.work import Work


async def sample(work: Work[SampleParameters], *, library: Library) -> Outcome:
    """Make a version of the assets that are drawn: the same seed draws the same, however they are stored."""
    source = await given(work.task, "/source", library=library)
    drawn = await sampled_content(source.content, work.parameters, library=library)
    work.progress(0.7, "keeping the version")
    wanted, there = work.parameters.count or 0, source.content.image_count()
    warnings = [f"The source has {there} images, fewer than {wanted}: all are kept."] if wanted > there else []
    return await version_of(work.parameters, drawn, parents=[source.version], library=library, warnings=warnings)


async def sampled_content(content: Content, portion: Portion, *, library: Library) -> Content:
    """Return the part of a content that is drawn."""
    ids = await library.asset_ids(content)
    strata = None
    if portion.stratify:
        strata = await strata_of(content, ids=ids, library=library)
    return await asyncio.to_thread(sampled, content, portion, ids=ids, strata=strata)
