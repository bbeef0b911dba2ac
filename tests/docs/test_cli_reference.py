"""The reference of the command is that of its parser."""

from client.commands import COMMANDS
from tests.docs.cli_reference import PAGE, page


def test_the_reference_of_the_command_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: make docs"


def test_the_reference_has_every_command() -> None:
    assert all(f"\n## ymir {name}" in page() for name in COMMANDS)
