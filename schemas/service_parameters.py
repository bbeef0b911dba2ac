"""What the service asks of itself: tasks that nobody can ask for over HTTP, and of which no event tells."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, NonNegativeInt

from schemas.blobs import BlobRef
from schemas.events import CloudEvent
from schemas.parameters import Parameters, Slot
from schemas.schema import Id

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
