"""Options are made of the parameters of a task, and what is given becomes those parameters."""

from argparse import ArgumentParser
from typing import Any

import pytest
from pydantic import TypeAdapter

from client.commands import COMMANDS, TASK, Command, parser
from client.ymir.options import add_options, fields_of, parameters_named, parameters_of
from schemas.task_types import OFFERED, TaskParameters

ID = "0" * 32
PARAMETERS: TypeAdapter[TaskParameters] = TypeAdapter(TaskParameters)


def read(command: str) -> dict[str, Any]:
    """Return the parameters that a command line asks for."""
    name, *words = command.split()
    given = parser().parse_args([name, *words, "--project", "p"])
    return {"type": name.replace("-", "_"), **parameters_of(given)}


@pytest.mark.parametrize(
    ("command", "parameters"),
    [
        (
            "import ./voc --dataset train --unknown-classes add --split training --tag first",
            {"source": {"path": "./voc"}, "dataset": "train", "unknown_classes": "add", "split": "training"}
            | {"tag": "first"},
        ),
        ("import https://there/a.zip --into d", {"source": {"url": "https://there/a.zip"}, "dataset": "d"}),
        ("import s3://bucket/a --into d", {"source": {"s3": "s3://bucket/a"}, "dataset": "d"}),
        (
            "merge a tr:b@2;c --into d --strategy host --exclude x,y --exclude z",
            {
                "sources": [{"ref": "a"}, {"ref": "b@2", "split": "training"}, {"ref": "c"}],
                "dataset": "d",
                "strategy": "host",
                "exclude": ["x", "y", "z"],
            },
        ),
        ("merge --ours a --theirs b --into a", {"ours": "a", "theirs": "b", "dataset": "a"}),
        (
            "filter a --include-classes cat,dog --area 10..  --confidence ..0.5 --attributes night=true --into b",
            {"source": "a", "include_classes": ["cat", "dog"], "area": [10.0, None], "confidence": [None, 0.5]}
            | {"attributes": {"night": True}, "dataset": "b"},
        ),
        ("sample a --count 10 --stratify --into b", {"source": "a", "count": 10, "stratify": True, "dataset": "b"}),
        (
            "split a --training 0.8 --validation 0.2 --keep-together --into b",
            {"source": "a", "training": 0.8, "validation": 0.2, "keep_together": "near_duplicates", "dataset": "b"},
        ),
        (
            f"fuse a b --include-classes cat --evaluation {ID} --marks fp,fn --rate 0.5 --into c",
            {
                "sources": [{"ref": "a"}, {"ref": "b"}],
                "conditions": {
                    "include_classes": ["cat"],
                    "marked": {"evaluation": ID, "marks": ["fp", "fn"]},
                },
                "portion": {"rate": 0.5},
                "dataset": "c",
            },
        ),
        ("relabel a cat=dog mouse= --into b", {"source": "a", "classes": {"cat": "dog", "mouse": ""}, "dataset": "b"}),
        ("exclude a b c@2 --into d", {"source": "a", "exclude": ["b", "c@2"], "dataset": "d"}),
        ("copy other train@3 --into d", {"project": "other", "ref": "train@3", "dataset": "d"}),
        (
            f"train tr:a --validation b --model m --classes c --executor e --config r=1 --config n=s --pretrained {ID}",
            {
                "training": [{"ref": "a", "split": "training"}],
                "validation": ["b"],
                "model": "m",
                "classes": ["c"],
                "executor": "e",
                "config": {"r": 1, "n": "s"},
                "pretrained": {"id": ID},
            },
        ),
        ("export a --format coco --no-images", {"source": "a", "format": "coco", "images": False}),
    ],
)
def test_what_is_given_becomes_the_parameters_of_the_task(command: str, parameters: dict[str, Any]) -> None:
    asked = read(command)

    assert {name: value for name, value in asked.items() if name != "type"} == parameters
    if "./" not in command:
        PARAMETERS.validate_python(asked)


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("sample a", "--into/--dataset"),
        ("merge xx:a --into b", "'xx:a' begins with none of tr:, va:, te:"),
        ("filter a --area 10 --into b", "LEAST..GREATEST"),
        ("filter a --splits training,both --into b", "'both' is none of"),
        ("train a --config rate --model m --classes c --executor e", "KEY=VALUE"),
        ("merge a --strategy mine --into b", "invalid choice: 'mine'"),
        ("sample a --cuont 3 --into b", "unrecognized arguments: --cuont"),
    ],
)
def test_what_cannot_be_read_is_told_with_status_2(
    command: str, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        read(command)

    assert end.value.code == 2
    told = capsys.readouterr().err
    assert wrong in told
    assert f"usage: ymir {command.split(maxsplit=1)[0]}" in told


def test_every_type_of_task_that_is_offered_has_a_command() -> None:
    tasks = {name.replace("-", "_") for name, command in COMMANDS.items() if isinstance(command, Command)}

    assert tasks >= OFFERED


def test_every_command_of_a_task_is_of_a_type_that_is_offered() -> None:
    commands = ((name, found) for name, found in COMMANDS.items() if isinstance(found, Command))
    tasks = {name.replace("-", "_") for name, found in commands if found.adds == TASK}

    assert tasks <= OFFERED


@pytest.mark.parametrize("kind", sorted(OFFERED))
def test_every_parameter_can_be_given(kind: str) -> None:
    made = ArgumentParser()
    add_options(made, parameters_named(kind), positional=())

    fields = {action.dest.split(".")[1] for action in made._actions if action.dest.startswith("parameters.")}

    assert fields == set(parameters_named(kind).model_fields) - {"type"}


@pytest.mark.parametrize("kind", sorted(OFFERED))
def test_every_parameter_is_explained(kind: str) -> None:
    assert [field.path for field in fields_of(parameters_named(kind)) if not field.info.description] == []
