"""The table of rounds that the demo prints."""

from collections.abc import Sequence
from statistics import fmean

from rich.console import Console
from rich.table import Table

from client.demo.figures import ap, ap50, curve, verdict
from client.demo.loop import ARMS, Run


def table(runs: Sequence[Run]) -> None:
    """Print the rounds of both arms, means over the seeds, and what they amount to."""
    shown = Table(title=f"Means over {len(runs)} seed(s) ± one standard error")
    for column in ("picks", "round", "training images", "mAP@0.5", "mAP@0.5:0.95", "seconds"):
        shown.add_column(column, justify="left" if column == "picks" else "right")
    for arm in ARMS:
        rounds = zip(*(run.of(arm) for run in runs), strict=True)
        for same, at_half, overall in zip(rounds, curve(runs, arm, ap50), curve(runs, arm, ap), strict=True):
            images = f"{fmean(measured.training_images for measured in same):.0f}"
            seconds = f"{fmean(measured.seconds for measured in same):.1f}"
            shown.add_row(arm, str(same[0].number), images, str(at_half), str(overall), seconds)
    console = Console()
    console.print(shown)
    console.print(verdict(runs), highlight=False)
