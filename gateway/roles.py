"""Roles: what each operation needs of the key that asks for it."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

from gateway.operations import Operation
from schemas.keys import Role, Scope


class Where(Enum):
    """Where a key must have the role that an operation needs."""

    SERVICE = auto()
    """Everywhere: what is asked belongs to no project."""
    PROJECT = auto()
    """In the project that the address names."""
    TASK = auto()
    """In the project of the task that the address names."""
    ANYWHERE = auto()
    """In any project: the operation itself keeps to those that the key may see, or to what is the key's own."""


class Need(NamedTuple):
    """What a key must have: a role, where, and the scope, if it is narrowed to scopes."""

    role: Role
    where: Where
    scope: Scope


# A new operation without a row here is for administrators; a test tells that it has none.
UNTOLD: Final = Need(Role.ADMIN, Where.SERVICE, Scope.ADMIN)

_LOOK: Final = Need(Role.VIEWER, Where.PROJECT, Scope.READ)
_LOOK_AT_TASK: Final = Need(Role.VIEWER, Where.TASK, Scope.READ)
_LOOK_ANYWHERE: Final = Need(Role.VIEWER, Where.ANYWHERE, Scope.READ)
_ASK: Final = Need(Role.MEMBER, Where.PROJECT, Scope.TASKS)
_CHANGE_TASK: Final = Need(Role.MEMBER, Where.TASK, Scope.TASKS)
_CHANGE_DATA: Final = Need(Role.MEMBER, Where.PROJECT, Scope.DATASETS)
_CHANGE_MODEL: Final = Need(Role.MEMBER, Where.PROJECT, Scope.MODELS)
_LABEL: Final = Need(Role.MEMBER, Where.PROJECT, Scope.LABELING)
_RESOLVE: Final = Need(Role.MEMBER, Where.TASK, Scope.LABELING)
_UPLOAD: Final = Need(Role.MEMBER, Where.ANYWHERE, Scope.UPLOADS)
_ADMINISTER: Final = Need(Role.ADMIN, Where.SERVICE, Scope.ADMIN)
_ADMINISTER_PROJECT: Final = Need(Role.ADMIN, Where.PROJECT, Scope.ADMIN)
_ADMINISTER_ANYWHERE: Final = Need(Role.ADMIN, Where.ANYWHERE, Scope.ADMIN)

# What is sent out of a project is for those who administer it to say.
_HOOK: Final = Need(Role.ADMIN, Where.ANYWHERE, Scope.WEBHOOKS)
_RULE_ANYWHERE: Final = Need(Role.ADMIN, Where.ANYWHERE, Scope.RULES)

_PROJECT: Final = "/v1/projects/{project}"
_DATASET: Final = f"{_PROJECT}/datasets/{{name}}"
_VERSION: Final = f"{_DATASET}/versions/{{ref}}"
_MODEL: Final = f"{_PROJECT}/models/{{id}}"
_JOB: Final = f"{_PROJECT}/labeling/{{id}}"
_TASK: Final = "/v1/tasks/{id}"
_EXECUTOR: Final = "/v1/executors/{name}"
_WEBHOOK: Final = "/v1/webhooks/{id}"
_RULE: Final = "/v1/rules/{id}"
_LETTER: Final = "/v1/dead-letters/{id}"

NEEDED: Final[Mapping[tuple[str, str], Need]] = {
    ("GET", "/v1/projects"): _LOOK_ANYWHERE,
    ("POST", "/v1/projects"): _ADMINISTER,
    ("GET", _PROJECT): _LOOK,
    ("PATCH", _PROJECT): Need(Role.MEMBER, Where.PROJECT, Scope.ADMIN),
    ("DELETE", _PROJECT): _ADMINISTER_PROJECT,
    ("GET", f"{_PROJECT}/classes"): _LOOK,
    ("POST", f"{_PROJECT}/classes"): _CHANGE_DATA,
    ("PATCH", f"{_PROJECT}/classes/{{name}}"): _CHANGE_DATA,
    ("POST", f"{_PROJECT}/tasks"): _ASK,
    ("GET", f"{_PROJECT}/tasks"): _LOOK,
    ("GET", _TASK): _LOOK_AT_TASK,
    ("POST", f"{_TASK}/cancel"): _CHANGE_TASK,
    ("POST", f"{_TASK}/retry"): _CHANGE_TASK,
    ("GET", f"{_TASK}/log"): _LOOK_AT_TASK,
    ("GET", f"{_TASK}/report"): _LOOK_AT_TASK,
    ("GET", f"{_TASK}/archive"): _LOOK_AT_TASK,
    ("GET", f"{_TASK}/predictions"): _LOOK_AT_TASK,
    ("GET", f"{_TASK}/pictures/{{asset}}/image"): _LOOK_AT_TASK,
    ("GET", f"{_TASK}/pictures/{{asset}}/drawn"): _LOOK_AT_TASK,
    ("GET", f"{_TASK}/scalars"): _LOOK_AT_TASK,
    ("GET", f"{_TASK}/tensorboard"): _LOOK_AT_TASK,
    ("GET", f"{_TASK}/conflicts"): _LOOK_AT_TASK,
    ("GET", f"{_TASK}/conflicts/status"): _LOOK_AT_TASK,
    ("GET", f"{_TASK}/conflicts/{{number}}"): _LOOK_AT_TASK,
    ("POST", f"{_TASK}/conflicts/resolve"): _RESOLVE,
    ("POST", f"{_TASK}/conflicts/{{number}}/resolve"): _RESOLVE,
    ("GET", f"{_PROJECT}/datasets"): _LOOK,
    ("GET", _DATASET): _LOOK,
    ("PATCH", _DATASET): _CHANGE_DATA,
    ("DELETE", _DATASET): _CHANGE_DATA,
    ("GET", f"{_DATASET}/tags"): _LOOK,
    ("PUT", f"{_DATASET}/tags/{{tag}}"): _CHANGE_DATA,
    ("DELETE", f"{_DATASET}/tags/{{tag}}"): _CHANGE_DATA,
    ("GET", f"{_PROJECT}/versions"): _LOOK,
    ("GET", f"{_DATASET}/versions"): _LOOK,
    ("GET", _VERSION): _LOOK,
    ("PATCH", _VERSION): _CHANGE_DATA,
    ("DELETE", _VERSION): _CHANGE_DATA,
    ("GET", f"{_VERSION}/history"): _LOOK,
    ("GET", f"{_VERSION}/references"): _LOOK,
    ("GET", f"{_VERSION}/stats"): _LOOK,
    ("GET", f"{_VERSION}/suggestions"): _LOOK,
    ("GET", f"{_VERSION}/overlap"): _LOOK,
    ("GET", f"{_VERSION}/diff"): _LOOK,
    ("GET", f"{_VERSION}/diff/assets"): _LOOK,
    ("GET", f"{_VERSION}/assets"): _LOOK,
    ("GET", f"{_VERSION}/assets/{{asset}}"): _LOOK,
    ("GET", f"{_VERSION}/assets/{{asset}}/image"): _LOOK,
    ("GET", f"{_VERSION}/assets/{{asset}}/thumbnail"): _LOOK,
    ("POST", "/v1/uploads"): _UPLOAD,
    ("PUT", "/v1/uploads/{name}"): _UPLOAD,
    ("GET", "/v1/uploads/{name}"): _UPLOAD,
    ("HEAD", "/v1/uploads/{name}"): _UPLOAD,
    ("PATCH", "/v1/uploads/{name}"): _UPLOAD,
    ("DELETE", "/v1/uploads/{name}"): _UPLOAD,
    ("POST", "/v1/uploads/{name}"): _UPLOAD,
    ("GET", f"{_PROJECT}/models"): _LOOK,
    ("GET", _MODEL): _LOOK,
    ("PATCH", _MODEL): _CHANGE_MODEL,
    ("DELETE", _MODEL): _CHANGE_MODEL,
    ("GET", f"{_MODEL}/package"): _LOOK,
    ("GET", f"{_MODEL}/lineage"): _LOOK,
    ("GET", f"{_MODEL}/file"): _LOOK,
    ("GET", f"{_MODEL}/scalars"): _LOOK,
    ("GET", f"{_MODEL}/tensorboard"): _LOOK,
    ("GET", f"{_MODEL}/references"): _LOOK,
    ("GET", f"{_PROJECT}/learning-curve"): _LOOK,
    ("GET", f"{_PROJECT}/evaluations"): _LOOK,
    ("GET", f"{_PROJECT}/evaluations/compare"): _LOOK,
    ("GET", f"{_PROJECT}/evaluations/{{id}}"): _LOOK,
    ("GET", f"{_PROJECT}/evaluations/{{id}}/curves"): _LOOK,
    ("GET", f"{_PROJECT}/evaluations/{{id}}/confusions"): _LOOK,
    ("GET", f"{_PROJECT}/evaluations/{{id}}/label-errors"): _LOOK,
    ("GET", f"{_PROJECT}/evaluations/{{id}}/plots/{{name}}"): _LOOK,
    ("GET", "/v1/executors"): _LOOK_ANYWHERE,
    ("POST", "/v1/executors"): _ADMINISTER,
    ("GET", _EXECUTOR): _LOOK_ANYWHERE,
    ("PATCH", _EXECUTOR): _ADMINISTER,
    ("DELETE", _EXECUTOR): _ADMINISTER,
    # They name tasks of any project.
    ("GET", "/v1/hosts"): _ADMINISTER,
    ("GET", "/v1/events"): _LOOK_ANYWHERE,
    ("GET", "/v1/webhooks"): _HOOK,
    ("POST", "/v1/webhooks"): _HOOK,
    ("GET", _WEBHOOK): _HOOK,
    ("PATCH", _WEBHOOK): _HOOK,
    ("DELETE", _WEBHOOK): _HOOK,
    ("POST", f"{_WEBHOOK}/rotate"): _HOOK,
    ("POST", f"{_WEBHOOK}/test"): _HOOK,
    ("POST", f"{_WEBHOOK}/redeliver"): _HOOK,
    ("GET", f"{_WEBHOOK}/deliveries"): _HOOK,
    ("GET", f"{_WEBHOOK}/deliveries/{{delivery}}"): _HOOK,
    ("POST", f"{_WEBHOOK}/deliveries/{{delivery}}/redeliver"): _HOOK,
    ("GET", "/v1/rules"): _LOOK_ANYWHERE,
    ("POST", "/v1/rules"): _RULE_ANYWHERE,
    ("GET", _RULE): _LOOK_ANYWHERE,
    ("PATCH", _RULE): _RULE_ANYWHERE,
    ("DELETE", _RULE): _RULE_ANYWHERE,
    ("GET", f"{_RULE}/runs"): _LOOK_ANYWHERE,
    ("POST", f"{_RULE}/try"): _LOOK_ANYWHERE,
    ("GET", f"{_PROJECT}/labeling"): _LOOK,
    ("GET", _JOB): _LOOK,
    ("GET", f"{_JOB}/items"): _LOOK,
    ("POST", f"{_JOB}/annotations"): _LABEL,
    ("POST", f"{_JOB}/close"): _LABEL,
    ("GET", "/v1/keys"): _ADMINISTER_ANYWHERE,
    ("POST", "/v1/keys"): _ADMINISTER_ANYWHERE,
    ("GET", "/v1/keys/{id}"): _ADMINISTER_ANYWHERE,
    ("DELETE", "/v1/keys/{id}"): _ADMINISTER_ANYWHERE,
    # Anything may be in them, of any project.
    ("GET", "/v1/dead-letters"): _ADMINISTER,
    ("GET", _LETTER): _ADMINISTER,
    ("GET", f"{_LETTER}/body"): _ADMINISTER,
    ("POST", f"{_LETTER}/replay"): _ADMINISTER,
    ("DELETE", _LETTER): _ADMINISTER,
    ("GET", "/metrics"): Need(Role.VIEWER, Where.SERVICE, Scope.READ),
}


def need_of(operation: Operation) -> Need:
    """Return what an operation needs."""
    return NEEDED.get((operation.method, operation.path), UNTOLD)
