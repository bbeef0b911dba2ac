"""The port of labeling tools: what shows a job to people, and gives back what they drew."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from schemas.labeling import Answer, LabelingItem, LabelingJob
from schemas.schema import AssetId


class InTool(NamedTuple):
    """What a tool has for a job: the id of its project, and where people find that."""

    project: str
    address: str


class Links(NamedTuple):
    """How a tool reaches the gateway for a job."""

    hook: str
    image: Callable[[AssetId], str]


class LabelingTool(Protocol):
    """One tool. Every call may be repeated, and raises Unavailable if the tool does not answer.

    What a tool refuses for good is Invalid, with what it said.
    """

    async def open(
        self,
        job: LabelingJob,
        items: AsyncIterator[LabelingItem],
        *,
        links: Links,
        progress: Callable[[int], None],
    ) -> InTool:
        """Make the project of a job, give it the images, and have it tell of answers at the hook.

        A project that an attempt before made bears the job's id, is found, and gets what it lacks.
        """

    def answers(self, job: LabelingJob) -> AsyncIterator[Sequence[Answer]]:
        """Return what people have answered so far, some at a time."""

    async def heard(self, job: LabelingJob, body: bytes) -> Sequence[Answer]:
        """Return the answers that a hook tells of, as the tool has them now: hooks come late, twice, in any order."""

    async def close(self, job: LabelingJob) -> None:
        """Tell the tool that no more answers are wanted."""


Tools = Mapping[str, LabelingTool]
"""The tools of a deployment by name; ``api`` is none of them."""
