"""The output folder after a run: only what is safe to read, and what its owner can remove."""

import os
import stat
import subprocess
from pathlib import Path
from typing import Final

from schemas.counts import counted

DEPTH: Final = 64


def made_safe(folder: Path) -> tuple[str, ...]:
    """Leave nothing in a folder but folders, regular files, and links to such files inside; warn of what went.

    To be called when nothing can write there any more: from then on, whatever is read below the folder was made by
    the run. Files and folders can be read, and removed, by their owner.
    """
    root = folder.resolve()
    removed = 0
    for place, folders, files in os.walk(folder, followlinks=False):
        if len(Path(place).parts) - len(folder.parts) >= DEPTH:
            _remove_tree(place)
            folders.clear()
            removed += 1
            continue
        for name in (*folders, *files):
            path = Path(place, name)
            if not _is_kept(path, root):
                path.unlink()
                removed += 1
    if not removed:
        return ()
    what = counted(removed, "link, special file or deep folder", "links, special files or deep folders")
    return (f"Left out of what the executor wrote: {what}.",)


def _remove_tree(folder: str) -> None:
    # Deeper than paths can be long, and than functions can call themselves.
    subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True, capture_output=True)  # noqa: S603, S607 - of the system


def _is_kept(path: Path, root: Path) -> bool:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return _leads_to_a_file_inside(path, root)
    if stat.S_ISDIR(mode):
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            path.chmod(0o700)
        return True
    if stat.S_ISREG(mode) and not mode & stat.S_IRUSR:
        path.chmod(0o600)
    return stat.S_ISREG(mode)


def _leads_to_a_file_inside(path: Path, root: Path) -> bool:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # it leads nowhere, or in a circle
        return False
    return target.is_relative_to(root) and target.is_file()
