"""Counts in words."""


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count and what is counted: ``1 image``, ``2,000 images``; ``many`` where no s makes it many."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
