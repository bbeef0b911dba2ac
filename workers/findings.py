"""What a task has to say of its data: everything counted, the first thousand of each kind told."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import JsonValue

from schemas.errors import Fault
from schemas.reports import Finding, Report

TOLD_OF_A_KIND: Final = 1_000


class Findings:
    """Collects findings in a bounded space; kinds are few, and never made of what the data says."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._told: list[Finding] = []

    def add(self, subject: str, detail: str, *, kind: str) -> None:
        """Count one finding, and keep it if it is among the first of its kind."""
        self.counts[kind] += 1
        if self.counts[kind] <= TOLD_OF_A_KIND:
            self._told.append(Finding(subject=subject, detail=detail, kind=kind))

    def add_all(self, findings: Iterable[Finding]) -> None:
        """Count several."""
        for finding in findings:
            self.add(finding.subject, finding.detail, kind=finding.kind)

    def add_faults(self, faults: Iterable[Fault]) -> None:
        """Count what is wrong as findings of the kind ``fault``."""
        for fault in faults:
            self.add(fault.pointer, fault.detail, kind="fault")

    @property
    def summary(self) -> dict[str, JsonValue]:
        """How many there are of each kind, kept or not."""
        return dict(sorted(self.counts.items()))

    def of(self, kind: str) -> list[Finding]:
        """Return the findings of a kind that are kept."""
        return [finding for finding in self._told if finding.kind == kind]

    def report(self, summary: Mapping[str, JsonValue]) -> Report:
        """Return all that is kept, with the counts of each kind beside ``summary``."""
        return Report(summary={**summary, "findings": self.summary}, findings=tuple(self._told))
