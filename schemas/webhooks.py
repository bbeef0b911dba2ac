"""Webhooks: where events are sent to, as Standard Webhooks 1.0 has it, and what came of it."""

import base64
import secrets
from datetime import datetime
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, JsonValue, NonNegativeInt, TypeAdapter

from schemas.events import EventType, LoggedEvent
from schemas.outcomes import TaskResult
from schemas.projects import Description
from schemas.schema import Document, Id, Instant, Name, Schema
from schemas.service_parameters import OF_THE_SERVICE, DeliverParameters
from schemas.task_states import TaskState
from schemas.tasks import Task
from schemas.web_addresses import WebAddress

SECRET_BYTES: Final = 32
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what every secret begins with
PROJECTS_AT_MOST: Final = 1_000
# Too many to be sent to somebody who did not ask for them.
ONLY_IF_ASKED_FOR: Final = frozenset({EventType.TASK_PROGRESSED})


class SigningSecret(Schema):
    """What signs the deliveries of a webhook, until it ends."""

    text: str
    """``whsec_`` and 32 bytes in base64."""
    ends_at: Instant | None = None


class Webhook(Document):
    """An address that events are sent to."""

    KIND: ClassVar[str] = "webhook"
    INDEXED: ClassVar[tuple[str, ...]] = ("created_at", "disabled_at")

    id: Id
    url: WebAddress
    description: str = ""
    types: tuple[EventType, ...] = ()
    projects: tuple[Id, ...] = ()
    project_names: tuple[str, ...] = ()
    """Those of ``projects``; a project's name never changes."""
    secrets: tuple[SigningSecret, ...]
    """The newest first; all that have not ended sign."""
    after: NonNegativeInt = 0
    """The last position of the log when it was made: what happened before is not sent."""
    disabled_at: Instant | None = None
    disabled_because: str = ""
    created_by: str
    created_at: Instant

    def wants(self, logged: LoggedEvent) -> bool:
        """Return whether an event of the log is to be sent to it."""
        if self.disabled_at is not None or logged.position <= self.after:
            return False
        if self.projects and logged.project not in self.projects:
            return False
        kind = logged.event.type
        return kind in self.types if self.types else kind not in ONLY_IF_ASKED_FOR

    def signing(self, *, at: datetime) -> tuple[str, ...]:
        """Return the secrets that sign at an instant."""
        return tuple(one.text for one in self.secrets if one.ends_at is None or one.ends_at > at)

    def rotated(self, secret: str, *, ends_at: datetime) -> Self:
        """Return this webhook with a new secret; the one before signs too until an instant."""
        before = self.secrets[0].model_copy(update={"ends_at": ends_at})
        return self.successor(secrets=(SigningSecret(text=secret), before))

    def delivered_by(self, parameters: DeliverParameters, *, task: Id, at: datetime) -> Task:
        """Return the task of an id that sends an event to it."""
        return Task(
            id=task,
            project=OF_THE_SERVICE,
            parameters=parameters,
            created_by=self.created_by,
            created_at=at,
            updated_at=at,
        )

    def disabled(self, because: str, *, at: datetime) -> Self:
        """Return this webhook as one that nothing is sent to."""
        return self.successor(disabled_at=at, disabled_because=because)


class WebhookSubmission(Schema):
    """A webhook to be made."""

    url: WebAddress
    description: Description = ""
    types: tuple[EventType, ...] = ()
    """What is sent; when none is named, everything but progress."""
    projects: Annotated[tuple[Name, ...], Field(max_length=PROJECTS_AT_MOST)] = ()
    """Of which projects; when none is named, of all. A key with roles in single projects has to name some."""


class WebhookChange(Schema):
    """What can change in a webhook; what is left out stays."""

    url: WebAddress | None = None
    description: Description | None = None
    types: tuple[EventType, ...] | None = None
    projects: Annotated[tuple[Name, ...], Field(max_length=PROJECTS_AT_MOST)] | None = None
    enabled: bool | None = None
    """What happened while it was disabled is not sent."""


class WebhookView(Schema):
    """A webhook as it is shown: without its secrets."""

    id: Id
    url: str
    description: str
    types: tuple[EventType, ...]
    projects: tuple[str, ...]
    enabled: bool
    disabled_at: Instant | None
    disabled_because: str
    created_by: str
    created_at: Instant


class NewWebhook(WebhookView):
    """A webhook whose secret was made just now; it is told this once."""

    secret: str


class Rotation(Schema):
    """A new secret for a webhook."""

    overlap_hours: Annotated[float, Field(ge=0, le=24 * 30)] = 24
    """For how long the secret before signs as well."""


class Attempt(Schema):
    """One attempt to send an event."""

    at: Instant
    status: int | None = None
    """The answer's; None when there was none."""
    error: str = ""
    """What was wrong, unless it succeeded."""
    milliseconds: NonNegativeInt = 0


ATTEMPTS: Final = TypeAdapter(tuple[Attempt, ...])


class WebhookDelivery(Schema):
    """One event on its way to a webhook."""

    id: Id
    """That of its task."""
    event: str
    """The id of the event: it is sent as ``webhook-id``."""
    type: EventType
    position: int | None
    redelivery: NonNegativeInt
    state: TaskState
    attempts: tuple[Attempt, ...]
    next_attempt_at: Instant | None
    created_at: Instant
    ended_at: Instant | None


class RedeliverySubmission(Schema):
    """Which deliveries of a webhook are to be sent again."""

    since: Instant | None = None
    """Those of events that were to be sent since then; when not given, all that are kept."""
    failed_only: bool = True


class Redeliveries(Schema):
    """What is sent again."""

    count: NonNegativeInt
    """How many deliveries."""


def attempts_of(result: TaskResult) -> tuple[Attempt, ...]:
    """Return the attempts that a delivery's task has made so far."""
    return ATTEMPTS.validate_python(result.summary.get("attempts", []))


def summary_of(attempts: tuple[Attempt, ...]) -> dict[str, JsonValue]:
    """Return attempts as the summary of a result has them."""
    return {"attempts": ATTEMPTS.dump_python(attempts, mode="json")}


def new_secret() -> str:
    """Return a secret that nobody else has."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
