"""What runs below this process, and what it uses; standard library only, for the supervisor."""

import contextlib
import os
import resource
from collections.abc import Iterable


def signal_all(number: int) -> None:
    """Send a signal to everything that this process started, and that this started in turn."""
    for pid in descendants():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def descendants() -> list[int]:
    """Return the processes that this one started, and those that they started."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib would take longer to load than all else
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                children.setdefault(_parent(name), []).append(int(name))
    found: list[int] = []
    open_ends = [os.getpid()]
    while open_ends:
        mine = children.get(open_ends.pop(), [])
        found += mine
        open_ends += mine
    return found


def _parent(pid: str) -> int:
    # The name of the program stands in brackets and may itself have brackets and spaces.
    return int(_read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[1])


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 4096)
    finally:
        os.close(file)


def memory_of(processes: Iterable[int]) -> int:
    """Return the bytes of memory that some processes have in use; what they share is counted for each."""
    total = 0
    for pid in processes:
        with contextlib.suppress(OSError, IndexError, ValueError):
            total += int(_read(f"/proc/{pid}/statm").split()[1])
    return total * resource.getpagesize()


def bytes_under(folder: str) -> int:
    """Return the bytes on disk of all files under a folder."""
    total = 0
    folders = [folder]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total
