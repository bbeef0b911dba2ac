"""The clock of this machine."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)
