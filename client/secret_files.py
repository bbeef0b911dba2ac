"""The secrets of a data folder: made at first start, readable by its owner alone."""

import os
import secrets
from pathlib import Path
from typing import Final

ADMIN_KEY: Final = "admin.key"
LINK_KEY: Final = "link.key"


def secret(folder: Path, name: str) -> str:
    """Return a secret of a data folder, made at first use."""
    path = folder / name
    if not path.exists():
        draft = folder / f"{name}.new"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())  # a power cut must not leave an empty secret, which anybody could guess
        draft.rename(path)
    return path.read_text().strip()
