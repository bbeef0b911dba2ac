"""What commands say leaves a terminal as it is."""

import io

import pytest

from client.terminal import write

NASTY = "\x1b]0;mine\x07café\u200d.jpg\r\x9b2J\tleft\nnext"


class Terminal(io.StringIO):
    """A stream that says that somebody looks at it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (Terminal(), "\ufffd]0;mine\ufffdcafé\u200d.jpg\ufffd\ufffd2J\tleft\nnext\n"),
        (io.StringIO(newline=""), f"{NASTY}\n"),
    ],
)
def test_what_would_steer_a_terminal_is_shown_and_what_goes_elsewhere_is_kept(
    stream: io.StringIO, expected: str
) -> None:
    write(NASTY, stream)

    assert stream.getvalue() == expected
