"""Reports: everything a task has to say that would not fit into a document."""

from pydantic import JsonValue

from schemas.schema import Schema


class Finding(Schema):
    """One thing worth saying: of which file, line or asset, and what."""

    subject: str
    detail: str
    kind: str = ""


class Report(Schema):
    """The whole story of a task, kept as a blob; the first findings of each kind are in its problem."""

    summary: dict[str, JsonValue] = {}
    findings: tuple[Finding, ...] = ()
