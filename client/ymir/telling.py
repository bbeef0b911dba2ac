"""What commands say on standard output: documents as JSON lines, or tables and short lines for people."""

import shutil
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import Final

from client.terminal import write
from schemas.counts import counted
from schemas.datasets import Version
from schemas.schema import Schema

THOUSAND: Final = 1_000
GAP: Final = "  "


def tell(text: str, *, at_once: bool = False) -> None:
    """Say one line, or several; ``at_once`` also into a pipe."""
    write(text, sys.stdout, at_once=at_once)


def tell_all(given: Namespace, heads: Sequence[str], documents: Iterable[tuple[Schema, Sequence[str]]]) -> None:
    """Say documents: with ``--json`` each in a line, else as a table of the texts beside them."""
    if given.json:
        for document, _ in documents:
            tell(document.model_dump_json())
    else:
        table(heads, [row for _, row in documents])


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Say rows in columns as wide as they need; on a terminal what is too long at the end of a line is cut."""
    if not rows:
        return
    lines = [tuple(heads), *rows] if sys.stdout.isatty() else rows
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in lines:
        text = GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        tell(text if room is None or len(text) <= room else text[: room - 1] + "…")


def name_of(version: Version) -> str:
    """Return the ref of a version by its number."""
    return f"{version.dataset_name}@{version.number}"


def counts_of(version: Version) -> str:
    """Return what a version holds, in one line."""
    counts = version.counts
    splits = ", ".join(f"{split} {count:,}" for split, count in counts.splits.items() if count and split != "none")
    layers = [
        f"{name}: {counted(layer.annotations, 'annotation')} on {layer.assets:,}"
        for name, layer in counts.layers.items()
    ]
    return "; ".join([counted(counts.images, "image") + (f" ({splits})" if splits else ""), *layers])


def size(count: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < THOUSAND:
            return f"{count:.3g} {unit}"
        count /= THOUSAND
    return f"{count:,.3g} TB"
