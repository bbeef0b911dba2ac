"""The table of steps: how each type of task of the algebra is applied, for its handler and for replay."""

from collections.abc import Mapping
from typing import Final

from workers.steps.again import again
from workers.steps.exclude import exclude
from workers.steps.filter import keep_matching
from workers.steps.fuse import fuse
from workers.steps.merge import merge
from workers.steps.relabel import relabel
from workers.steps.sample import sample
from workers.steps.split import split
from workers.steps.step import Step

STEPS: Final[Mapping[str, Step]] = {
    "branch": Step(again),
    "revert": Step(again),
    "merge": Step(merge, parents=("/sources",)),
    "filter": Step(keep_matching),
    "sample": Step(sample),
    "split": Step(split),
    "exclude": Step(exclude, parents=("/source", "/exclude")),
    "fuse": Step(fuse, parents=("/sources",)),
    "relabel": Step(relabel),
}
