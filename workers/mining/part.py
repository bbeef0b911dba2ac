"""A part of a choice: how much one strategy wants each candidate now, and what a pick changes about that."""

from collections.abc import Callable

from workers.mining.pool import Floats, Mask

Reason = Callable[[int], str]


class Part:
    """What a strategy thinks of the candidates; this one never changes its mind."""

    is_fixed = True

    def __init__(self, gains: Floats, reason: Reason, *, barred: Mask | None = None) -> None:
        self.gains = gains
        """From 0 to 1 for each candidate: how much it is wanted next."""
        self.barred = barred
        """Those that are taken only when nothing else is left; None if there are none."""
        self._reason = reason

    def score(self, place: int) -> float:
        """Return what is told as the score of a candidate that is picked next."""
        return float(self.gains[place])

    def reason(self, place: int) -> str:
        """Return why a candidate is picked next."""
        return self._reason(place)

    def refuses(self, place: int) -> bool:  # noqa: ARG002 - others look at it
        """Return whether a candidate that would be picked next is to be barred instead."""
        return False

    def take(self, place: int, total: Floats) -> None:
        """Learn that a candidate is picked; ``total`` is how much each is wanted by all parts."""
