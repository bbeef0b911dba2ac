"""What commands say: results on standard output, everything else on standard error."""

import sys

from client.terminal import write


def tell(line: str) -> None:
    """Say something about the work."""
    _forget_progress()
    write(line, sys.stderr)


def show(line: str) -> None:
    """Print a result."""
    write(line, sys.stdout)


def show_progress(fraction: float, phase: str) -> None:
    """Show on a terminal how far the work is."""
    if sys.stderr.isatty():
        print(f"\r{fraction:4.0%} {phase}\x1b[K", end="", file=sys.stderr, flush=True)


def end_progress() -> None:
    """Clear what was shown."""
    _forget_progress()


def _forget_progress() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
