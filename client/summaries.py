"""What the commands of an administrator say in the end."""

from pathlib import Path

from client.admin import BackedUp
from client.ymir.telling import size
from schemas.counts import counted
from storage.collection.collect import Collected
from storage.collection.sweep import Tally


def collected(found: Collected) -> str:
    """Return what a collection removed and what stays, in a few lines."""
    removed = "would remove" if found.dry_run else "removed"
    since = f"{found.horizon:%Y-%m-%d %H:%M} UTC"
    documents = ", ".join(
        counted(count, of)
        for count, of in ((found.versions, "version"), (found.datasets, "dataset"), (found.models, "model"))
    )
    lines = [
        f"{removed} for good: {documents}",
        f"{removed}: {_tally(found.removed)} that nothing names",
        f"named: {_tally(found.named)}",
        f"kept without a name, since they are younger than {since}: {_tally(found.young)}",
    ]
    if found.held:
        held = counted(found.held, "version or model", "versions or models")
        lines.append(f"kept though hidden long ago, since something refers to them: {held}")
    return "\n".join(lines)


def backed_up(found: BackedUp, to: Path) -> str:
    """Return what a back-up holds, and how it is used."""
    tally = _tally(Tally(blobs=found.blobs, bytes=found.bytes))
    return f"{to} holds all documents and {tally}; to start from a copy of it: ymir serve --data COPY"


def _tally(tally: Tally) -> str:
    return f"{counted(tally.blobs, 'blob')}, {size(tally.bytes)}"
