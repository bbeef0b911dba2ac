"""What branches and tasks of YMIR are called here, where names have fewer letters."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from client.migrate.repository import RevisionName
from schemas.errors import Fault, Invalid


class Target(NamedTuple):
    """The dataset and the tag that a revision gets."""

    dataset: str
    tag: str

    @property
    def ref(self) -> str:
        """How tasks name it."""
        return f"{self.dataset}@{self.tag}"


def targets(revisions: Iterable[RevisionName]) -> dict[str, Target]:
    """Return the dataset and tag of each revision; raise Invalid if two would get the same."""
    found = {str(name): Target(_name(name.branch), _tag(name.task)) for name in revisions}
    owners: dict[Target, str] = {}
    faults = [
        Fault(f"would be {target.ref}, as {owner} is", revision)
        for revision, target in found.items()
        if (owner := owners.setdefault(target, revision)) != revision
    ]
    if faults:
        message = "Some revisions would get the same name here."
        raise Invalid(message, step="Migrate them into projects of their own with --revs.", faults=faults)
    return found


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text).lstrip("._-")[:100] or "branch"


def _tag(text: str) -> str:
    # Digits alone would be taken for the number of a version.
    return f"t{text}"[:100] if text.isdecimal() else _name(text)
