"""How a process of the image pool begins, and ends; it imports no more than it needs."""

import multiprocessing
import os
import signal
from multiprocessing.connection import wait
from threading import Thread

from PIL import Image


def begin() -> None:
    """Make this process end with the one that it works for, and not before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # The limit is ours, given with each job.
    Image.MAX_IMAGE_PIXELS = None
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
