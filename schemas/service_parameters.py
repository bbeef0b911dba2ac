"""What the service asks of itself: tasks that nobody can ask for over HTTP, and of which no event tells."""

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, NonNegativeInt

from schemas.blobs import BlobRef
from schemas.events import CloudEvent
from schemas.parameters import Parameters, Slot
from schemas.schema import Id, derived_id

OF_THE_SERVICE: Final[Id] = "0" * 32
"""The project of what belongs to none."""


class ServiceParameters(Parameters):
    """A task of the service's own. It tells nobody: an event of a delivery would have to be delivered."""

    SLOT: ClassVar[Slot] = Slot.SERVICE
    ANNOUNCED: ClassVar[bool] = False


class ReceiveParameters(ServiceParameters):
    """Take in what a labeling tool told of a job; the same told twice is the same task."""

    type: Literal["receive"] = "receive"
    job: Id
    body: str = ""
    """What came, if it is short."""
    blob: BlobRef | None = None
    """What came, if it is long."""


class DeliverParameters(ServiceParameters):
    """Send an event to a webhook."""

    SLOT: ClassVar[Slot] = Slot.DELIVERY

    type: Literal["deliver"] = "deliver"
    webhook: Id
    event: CloudEvent
    """As it is in the log, which may have forgotten it by the last attempt."""
    position: Annotated[int, Field(ge=1)] | None = None
    """Its place in the log; None for one that only tests the webhook."""
    redelivery: NonNegativeInt = 0
    """How often it was asked to be sent again before."""

    def delivery(self) -> Id:
        """Return the id of the task that does this: whoever asks for it asks for the same."""
        return derived_id("delivery", self.webhook, self.event.id, self.redelivery)

    def once_more(self) -> Self:
        """Return the same, to be sent again."""
        return self.model_copy(update={"redelivery": self.redelivery + 1})
