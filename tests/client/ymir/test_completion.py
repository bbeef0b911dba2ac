"""What shells are told of words that are begun."""

import shutil
import subprocess

import pytest

from client.commands import main
from client.ymir.completion import SCRIPTS, candidates


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["mer"], ["merge"]),
        (["task", "re"], ["report"]),
        (["merge", "--strat"], ["--strategy"]),
        (["merge", "a", "--strategy", ""], ["stop", "host", "guest"]),
        (["merge", "a", "--strategy", "h"], ["host"]),
        (["completion", "f"], ["fish"]),
        (["import", "./vo"], []),
        (["merge", "--into", "x"], []),
        (["nonsense", "x"], []),
    ],
)
def test_words_are_completed_to_what_the_command_takes(words: list[str], found: list[str]) -> None:
    assert candidates(words) == found


def test_after_nothing_all_commands_are_offered() -> None:
    assert {"serve", "import", "merge", "completion"} <= set(candidates([]))


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_the_script_of_a_shell_is_written_and_can_be_read_by_it(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0

    script = capsys.readouterr().out
    assert "ymir complete" in script
    if (program := shutil.which(shell)) is not None:
        subprocess.run([program, "-n"], input=script, text=True, check=True)
