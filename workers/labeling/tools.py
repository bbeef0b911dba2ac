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


class Unfit(NamedTuple):
    """An answer that cannot be read, and why."""

    asset: AssetId
    reason: str
    revision: int = 0


class Told(NamedTuple):
    """What a tool says of some items, as it has them now.

    An item that was answered and is not any more, since its annotation was deleted or a reviewer rejected it, is an
    answer too: one of the state ``open``. A tool that numbers or dates its changes gives them as revisions.
    """

    answers: Sequence[Answer] = ()
    unfit: Sequence[Unfit] = ()
    cursor: str = ""
    """What ``LabelingJob.tool_cursor`` is once this is kept; empty where the tool is read whole each time."""


class LabelingTool(Protocol):
    """One tool. Every call may be repeated, and raises Unavailable if the tool does not answer.

    What a tool refuses for good is Invalid, with what it said: a token that it does not take names the setting.
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

    def answers(self, job: LabelingJob) -> AsyncIterator[Told]:
        """Yield what people have answered since ``job.tool_cursor``, some at a time; more than that does no harm."""

    async def heard(self, job: LabelingJob, body: bytes) -> Told:
        """Return what a hook tells of, as the tool has it now: hooks come late, twice, in any order, and from anybody.

        A body that says nothing is nothing; it is no error.
        """

    async def close(self, job: LabelingJob) -> None:
        """Tell the tool that no more answers are wanted."""


Tools = Mapping[str, LabelingTool]
"""The tools of a deployment by name; ``api`` is none of them."""
