"""What the commands of an administrator say in the end."""

from pathlib import Path

from client.admin import BackedUp
from client.ymir.telling import size
from storage.collection.collect import Collected
from storage.collection.sweep import Tally


def collected(found: Collected) -> str:
    """Return what a collection removed and what stays, in a few lines."""
    removed = "would remove" if found.dry_run else "removed"
    since = f"{found.horizon:%Y-%m-%d %H:%M} UTC"
    lines = [
        f"{removed} for good: {found.versions:,} versions, {found.datasets:,} datasets, {found.models:,} models",
        f"{removed}: {_tally(found.removed)} that nothing names",
        f"named: {_tally(found.named)}",
        f"kept without a name, since they are younger than {since}: {_tally(found.young)}",
    ]
    if found.held:
        lines.append(f"kept though hidden long ago, since something refers to them: {found.held:,} versions or models")
    return "\n".join(lines)


def backed_up(found: BackedUp, to: Path) -> str:
    """Return what a back-up holds, and how it is used."""
    tally = _tally(Tally(blobs=found.blobs, bytes=found.bytes))
    return f"{to} holds all documents and {tally}; to start from a copy of it: ymir serve --data COPY"


def _tally(tally: Tally) -> str:
    return f"{tally.blobs:,} blobs, {size(tally.bytes)}"
