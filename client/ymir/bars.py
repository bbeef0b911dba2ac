"""Progress bars on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column


class Bars:
    """One bar for each thing that is done; they go when all is done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def show(self, what: str, fraction: float | None, told: str = "") -> None:
        """Show how far ``what`` is; without a fraction the bar only moves."""
        if what not in self._bars:
            self._bars[what] = self._progress.add_task(what, total=None, told="")
        total = None if fraction is None else 1.0
        self._progress.update(self._bars[what], total=total, completed=fraction or 0.0, told=told)


@contextmanager
def bars() -> Iterator[Bars]:
    """Draw bars on standard error until the end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None, table_column=Column(ratio=1, max_width=40)),
        TaskProgressColumn(),
        TextColumn("{task.fields[told]}", table_column=Column(no_wrap=True, max_width=30)),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as progress:
        yield Bars(progress)
