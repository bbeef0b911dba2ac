"""Writing into the folder of an attempt: a disk that is full is no fault of the task."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import Unavailable


@contextmanager
def scratch_errors() -> Iterator[None]:
    """Turn a full disk into Unavailable: the same task may yet succeed, here or on another worker."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise Unavailable("The worker's disk is full.", step="Free some space under its scratch folder.") from error
        raise
