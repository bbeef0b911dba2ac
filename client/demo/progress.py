"""What the demo shows while it runs: one bar for all rounds, one line for each that was measured."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from client.demo.figures import ap50
from client.demo.loop import Round
from schemas.tasks import Task


class Display:
    """Progress bars on a terminal, plain lines elsewhere."""

    def __init__(self, *, total: int) -> None:
        self._console = Console()
        columns = (TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._rounds = self._progress.add_task("rounds", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def watch(self, project: str, task: Task) -> None:
        """Show what is being done."""
        phase = f" {task.progress.phase}" if task.progress.phase else ""
        told = f"{project}: {task.parameters.type}{phase} {task.progress.fraction:.0%}"
        self._progress.update(self._rounds, description=told)

    def measured(self, project: str, measured: Round) -> None:
        """Show what a round came to."""
        arm = "start" if measured.number == 0 else f"{measured.arm}, round {measured.number}"
        line = f"{project} {arm:<16} {measured.training_images:>4} images  mAP@0.5 {ap50(measured):.3f}"
        self._console.print(f"{line}  {measured.seconds:5.1f} s", highlight=False)
        self._progress.advance(self._rounds)
