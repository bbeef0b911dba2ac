"""What the service needs of the outside world: homes for documents and blobs, a bus, a clock."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from schemas.blobs import BlobRef
from schemas.errors import Conflict
from schemas.events import CloudEvent
from schemas.letters import ForeignMessage
from schemas.pages import Page
from schemas.parameters import Slot
from schemas.schema import Digest, Document
from schemas.tasks import Doorbell

D = TypeVar("D", bound=Document)
Scalar = str | int | float | bool | None
Clock = Callable[[], datetime]


class Query(NamedTuple):
    """Which documents are meant; every field named must be one that the kind declares as indexed."""

    equal: Mapping[str, Scalar | Sequence[Scalar]] = {}
    """The value of a field; or several values, any of which will do. None: the field is null or absent."""
    at_least: Mapping[str, Scalar] = {}
    below: Mapping[str, Scalar] = {}
    prefix: Mapping[str, str] = {}


EVERYTHING = Query()


class Documents(Protocol[D]):
    """Where documents of one kind are kept; tests/contract/test_documents.py says what that means.

    Every method raises Unavailable if the store does not answer.
    """

    async def add(self, document: D) -> None:
        """Keep a new document; raise Conflict, naming the unique key that is taken (``id`` among them)."""

    async def add_many(self, documents: Sequence[D], *, until_conflict: bool = False) -> list[Conflict | None]:
        """Keep new documents in order and answer for each; with ``until_conflict`` answers end with the first one."""

    async def get(self, identity: str) -> D:
        """Return the document of an id; raise NotFound."""

    async def get_many(self, identities: Sequence[str]) -> list[D]:
        """Return those documents that exist, in no particular order."""

    async def replace(self, document: D, *, was: D) -> None:
        """Keep the successor of what is kept now; raise Conflict if that is not ``was``, or a unique key is taken."""

    async def replace_many(self, successors: Sequence[tuple[D, D]]) -> list[Conflict | None]:
        """Keep several (successor, predecessor), each on its own, and answer for each."""

    async def list(
        self, query: Query = EVERYTHING, *, order: str = "id", limit: int = 100, cursor: str | None = None
    ) -> Page[D]:
        """Return a page sorted by an indexed field (``-field``: descending; ties by id), after ``cursor``.

        Raise Invalid for a field that is not indexed and for a cursor that is not one of this order.
        """

    async def count(self, query: Query = EVERYTHING) -> int:
        """Return how many documents are meant."""

    async def remove(self, identity: str, *, was: D | None = None) -> None:
        """Forget a document; one that does not exist is no error.

        With ``was``, forget that state of it alone: raise Conflict if it is not what is kept now.
        """


class Database(Protocol):
    """The homes of all kinds of documents."""

    def documents(self, kind: type[D]) -> Documents[D]:
        """Return the home of a kind."""


class StoredBlob(NamedTuple):
    """A blob as a listing shows it."""

    digest: Digest
    size: int
    written_at: datetime


class Source(NamedTuple):
    """What is to be kept: some bytes or a file, the digest that the caller computed of them, and what they are."""

    content: bytes | Path
    digest: Digest | None = None
    media_type: str = "application/octet-stream"


class Blobs(Protocol):
    """Where bytes are kept under the name of their SHA-256; tests/contract/test_blobs.py says what that means.

    What comes out has been compared with its name: a blob that is damaged raises Invalid, a missing one
    NotFound, a store that does not answer Unavailable.
    """

    async def put(self, data: bytes, *, media_type: str = "application/octet-stream") -> BlobRef:
        """Keep some bytes durably; those that are there already are refreshed when older than a day."""

    async def put_file(
        self, path: Path, *, media_type: str = "application/octet-stream", digest: Digest | None = None
    ) -> BlobRef:
        """Keep the bytes of a file durably, as ``put`` does; ``digest`` is what the caller computed of them."""

    async def put_many(self, sources: Sequence[Source]) -> None:
        """Keep several contents durably, each as ``put`` or ``put_file`` does, for less than as many calls cost.

        All are tried; then the first error is raised.
        """

    async def get(self, digest: Digest) -> bytes:
        """Return all bytes of a blob."""

    async def fetch(self, digest: Digest, to: Path) -> None:
        """Write a blob into a file; the file appears complete or not at all."""

    def stream(self, digest: Digest, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Return the bytes of a blob, or of a part of it, piece by piece; only a whole blob is compared to its name."""

    async def size(self, digest: Digest) -> int:
        """Return how many bytes a blob has."""

    def list(self) -> AsyncIterator[StoredBlob]:
        """Return every blob."""

    async def remove(self, digest: Digest, *, unless_since: datetime | None = None) -> bool:
        """Forget a blob; one that does not exist is no error. Return whether it is gone.

        One that was put or refreshed at ``unless_since`` or later stays; its time is looked at right before.
        """


class Delivery(Protocol):
    """A message that waits for its acknowledgement; one that never gets it comes again."""

    doorbell: Doorbell

    async def acknowledge(self) -> None:
        """Say that the message did its work."""


class LetterDelivery(Protocol):
    """A dead letter that waits for its acknowledgement; one that never gets it comes again."""

    message: ForeignMessage

    async def acknowledge(self) -> None:
        """Say that the message is kept elsewhere."""


class Bus(Protocol):
    """What carries doorbells and events; it may lose, repeat and reorder. tests/contract/test_bus.py."""

    async def check(self) -> None:
        """Raise Unavailable if nothing can be sent now."""

    async def ring(self, doorbell: Doorbell) -> None:
        """Tell the workers of a kind of slot that a task may be ready; raise Unavailable."""

    async def waiting(self, slot: Slot) -> int:
        """Return how many doorbells wait for the workers of a kind of slot, about; raise Unavailable."""

    def doorbells(self, slot: Slot) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Listen for the tasks of a kind of slot, one at a time: the next is taken when it is asked for."""

    async def publish(self, events: Sequence[CloudEvent]) -> None:
        """Announce events, each with its type as routing key; raise Unavailable."""

    def events(self, pattern: str = "#") -> AbstractAsyncContextManager[AsyncIterator[CloudEvent]]:
        """Listen for events from now on, by an AMQP topic pattern (``ymir.task.*``, ``#``)."""

    def dead_letters(self) -> AbstractAsyncContextManager[AsyncIterator[LetterDelivery]]:
        """Take what came over the bus and is none of ours, one message at a time; two who listen share them."""

    async def send_again(self, message: ForeignMessage) -> None:
        """Send a foreign message to where it was sent first; raise Unavailable, or Invalid if nothing is there."""
