"""Conformance: which rules of the container contract an executor keeps, rule by rule."""

from enum import StrEnum

from schemas.annotations import ObjectType
from schemas.executors import Purpose, Runtime
from schemas.schema import Digest, Schema


class Verdict(StrEnum):
    """What was seen of one rule."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_TRIED = "not tried"
    TOLD = "told"
    """No rule: something that is good to know."""


class RuleVerdict(Schema):
    """One rule, for what the executor was asked to do."""

    rule: str
    text: str
    purpose: Purpose | None = None
    """None for what holds of the executor as a whole."""
    verdict: Verdict
    details: tuple[str, ...] = ()
    """Where the rule is broken and by what, or why it was not tried; the first hundred."""


class Conformance(Schema):
    """All verdicts on one executor."""

    runtime: Runtime
    reference: str
    digest: Digest | None = None
    object_type: ObjectType | None = None
    """What the built-in set was used as."""
    verdicts: tuple[RuleVerdict, ...]

    @property
    def is_kept(self) -> bool:
        """Whether no rule is broken."""
        return all(one.verdict is not Verdict.BROKEN for one in self.verdicts)

    def count(self, verdict: Verdict) -> int:
        """Return how many rules have a verdict."""
        return sum(one.verdict is verdict for one in self.verdicts)
