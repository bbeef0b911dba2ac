"""Numbers of classes, as formats have them that do not repeat names."""

from collections.abc import Sequence


class ClassNumbers:
    """Numbers classes in their order; one that is met and not among them comes next, unless they are closed."""

    def __init__(self, classes: Sequence[str], *, first: int, closed: bool = False) -> None:
        self._numbers = {name: number for number, name in enumerate(dict.fromkeys(classes), start=first)}
        self._next = first + len(self._numbers)
        self._closed = closed

    def of(self, name: str | None) -> int | None:
        """Return the number of a class; None for no class, and for another one where classes are closed."""
        if name is None:
            return None
        number = self._numbers.get(name)
        if number is None and not self._closed:
            number = self._numbers[name] = self._next
            self._next += 1
        return number

    def items(self) -> list[tuple[str, int]]:
        """Return all classes with their numbers, in order."""
        return [*self._numbers.items()]
