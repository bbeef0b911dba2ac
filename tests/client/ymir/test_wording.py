"""What the service says of its API comes in the words of the command."""

from argparse import ArgumentParser

import pytest

from client.ymir.tasks import add
from client.ymir.wording import worded


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("GET /v1/projects lists those there are.", "`ymir projects` lists those there are."),
        ("GET /v1/projects/p/datasets lists those there are.", "`ymir datasets --project p` lists those there are."),
        ("GET /v1/tasks/{id}/conflicts lists those there are.", "`ymir conflicts TASK` lists those there are."),
        ("GET /v1/dead-letters lists those there are.", "`ymir api GET /v1/dead-letters` lists those there are."),
        ("Send Authorization: Bearer <key>.", "Set YMIR_KEY to a key, or YMIR_KEY_FILE to a file with one."),
        ("Wait, then look at /docs.", "Wait, then look at /docs."),
        ("  /nothing/known: It is wrong.", "  /nothing/known: It is wrong."),
    ],
)
def test_calls_become_commands(said: str, heard: str) -> None:
    assert worded(said, {}) == heard


@pytest.mark.parametrize(
    ("command", "said", "heard"),
    [
        ("filter", "  /marked/evaluation: There is none.", "  --evaluation: There is none."),
        ("filter", "  /dataset: It is hidden.", "  --into: It is hidden."),
        ("merge", "  /sources/1/ref: There is none.", "  SOURCES/1/ref: There is none."),
        ("import", "import with unknown_classes add", "import with --unknown-classes add"),
        ("import", "the class 'unknown_classes' and no_such_field", "the class 'unknown_classes' and no_such_field"),
        ("sample", "import with unknown_classes add", "import with unknown_classes add"),
    ],
)
def test_parameters_become_options_of_the_command(command: str, said: str, heard: str) -> None:
    parser = ArgumentParser()
    add(parser, command)

    assert worded(said, parser.get_default("options")) == heard
