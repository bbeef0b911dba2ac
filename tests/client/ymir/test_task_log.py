"""What of a growing log is new."""

import pytest

from client.ymir.task_log import news


@pytest.mark.parametrize(
    ("log", "seen", "new", "seen_then"),
    [
        (b"", 0, b"", 0),
        (b"one\n", 0, b"one\n", 4),
        (b"one\ntwo\n", 4, b"two\n", 8),
        (b"[... 4 bytes before ...]\ntwo\nthree\n", 8, b"three\n", 14),
        (b"[... 100 bytes before ...]\nlate\n", 8, b"late\n", 105),
        (b"again\n", 50, b"again\n", 6),
    ],
)
def test_only_what_was_not_shown_before_is_new(log: bytes, seen: int, new: bytes, seen_then: int) -> None:
    assert news(log, seen) == (new, seen_then)
