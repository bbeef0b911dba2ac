"""Again: the content of a version as it is, for what names it anew (branch and revert)."""

from schemas.parameters import Parameters
from workers.steps.step import Applied, Inputs, Tools


async def again(_: Parameters, inputs: Inputs, __: Tools) -> Applied:
    """Return the content of the source."""
    return Applied(inputs["/source"])
