"""The end of what an executor has printed so far: kept while its task runs, and forgotten with its end."""

from typing import ClassVar

from pydantic import NonNegativeInt

from schemas.schema import Document, Id, Instant


class LiveLog(Document):
    """The last of the output of a running task, of bounded size; its id is that of the task."""

    KIND: ClassVar[str] = "live_log"
    INDEXED: ClassVar[tuple[str, ...]] = ("written_at",)

    id: Id
    epoch: NonNegativeInt
    """The attempt that printed it."""
    left_out: NonNegativeInt = 0
    """How many bytes came before."""
    text: str
    written_at: Instant

    def shown(self) -> str:
        """Return the text, and above it how much is missing."""
        return f"[... {self.left_out} bytes before ...]\n{self.text}" if self.left_out else self.text
