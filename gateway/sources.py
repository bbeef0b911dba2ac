"""Sources: which paths of the server an import may read."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from schemas.errors import Fault

POINTER = "/source/path"


async def path_faults(path: str, roots: Iterable[Path]) -> list[Fault]:
    """Return what is wrong with a path: it is absolute, exists, and lies under a root, links followed."""
    return await asyncio.to_thread(_path_faults, path, tuple(roots))


def _path_faults(path: str, roots: tuple[Path, ...]) -> list[Fault]:
    if not roots:
        return [Fault("This service has no import roots; upload the files instead.", POINTER)]
    try:
        if not Path(path).is_absolute():
            return [Fault("The path has to be absolute.", POINTER)]
        real = Path(path).resolve()
        if not any(real.is_relative_to(root.resolve()) for root in roots):
            return [Fault("The path is outside the import roots of this service.", POINTER)]
        if not real.exists():
            return [Fault("Nothing is at this path.", POINTER)]
    except (OSError, ValueError, RuntimeError):
        return [Fault("The path cannot be read.", POINTER)]
    return []
