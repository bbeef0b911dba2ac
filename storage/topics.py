"""Topic patterns of AMQP: words between dots, ``*`` for one of them, ``#`` for any number."""


def matches(pattern: str, key: str) -> bool:
    """Return whether a routing key is one that a pattern means."""
    return _match(pattern.split("."), key.split("."))


def _match(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    first, *rest = pattern
    if first == "#":
        return any(_match(rest, words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and first in {"*", words[0]} and _match(rest, words[1:])
