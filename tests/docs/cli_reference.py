"""The reference of the command ``ymir`` in docs/cli.md, made of its parser: ``make docs`` writes it."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from unittest.mock import patch

from client.commands import LazyParser, parser

PAGE: Final = Path(__file__).parents[2] / "docs" / "cli.md"
HEAD: Final = """\
# The command `ymir`

```sh
ymir projects --add cats
ymir classes -p cats --add cat,kitten --add dog
ymir import ./voc -p cats --into train --split training
ymir merge train more --strategy host -p cats --into all --tag week-1
ymir log -p cats all
```

**What it works on.** With `YMIR_URL` set, the service at that address, with the key in `YMIR_KEY` or in the file
`YMIR_KEY_FILE`. Else a data folder (`--data`, `YMIR_DATA`, or `data`): the service that owns it, if one runs; else the
command owns it meanwhile and does the work itself, so that nothing has to be started. While another command owns the
folder it waits, and says for whom. Commands that only read, and changes that no task makes, wait for nobody.

**Versions** are named `name@tag`, `name@3`, or `name` for the newest; `tr:`, `va:` or `te:` before the name of a source
puts all its images to that use. Lists are written with commas. Where a value is JSON it is taken as that. `--project`
is not needed where `YMIR_PROJECT` is set.

**Files** that the service cannot read itself are sent to it: a folder as a tar that is made on the way. What arrived
need not be sent again.

**Output.** Results are on standard output: for people, or with `--json` one document of the API a line. All else is on
standard error: progress (bars on a terminal, a line every few seconds elsewhere), warnings, and what is wrong, where,
and what to do next.

**Exit status.** 0: done. 1: refused, failed or cancelled. 2: the command line cannot be read. 128 and the number of a
signal: interrupted. An interrupted command leaves a task of a service to go on, and says how to follow and cancel it; a
task that runs in the command itself is cancelled. What a command left that was killed is done by `ymir watch TASK`.

**Completion.** `eval "$(ymir completion bash)"` in `~/.bashrc`; `ymir completion zsh` and `ymir completion fish` alike.

Any task can be asked for: `ymir task submit '{"type": "sample", "source": "train", "count": 9, "dataset": "few"}'`.
"""


def page() -> str:
    """Return docs/cli.md as it has to be."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YMIR_")}
    with patch.dict(os.environ, kept, clear=True):
        return "\n".join([HEAD, *_sections(parser())])


def _sections(above: LazyParser) -> Iterator[str]:
    for name, command in _commands(above):
        if below := list(_commands(command)):
            yield from (section for _, one in below for section in _section(one.filled()))
        elif name:
            yield from _section(command)


def _commands(above: LazyParser) -> Iterator[tuple[str, LazyParser]]:
    for action in above.filled()._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _section(command: LazyParser) -> Iterator[str]:
    yield from (f"## {command.prog}", "")
    if command.description:
        yield from (command.description.strip(), "")
    yield from ("| argument | |", "|---|---|")
    for action in command._actions:
        if action.help != argparse.SUPPRESS and not isinstance(action, argparse._HelpAction):
            yield f"| {_written(action)} | {_told(action)} |"
    yield ""


def _written(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else action.metavar or "|".join(map(str, action.choices or (action.dest.upper(),)))
    several = {"+": " …", "*": " …"}.get(str(action.nargs), "")
    shown = ", ".join(f"`{option}`" for option in action.option_strings)
    return f"{shown} {_code(str(value) + several)}".strip()


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""


def _told(action: argparse.Action) -> str:
    needed = "needed" if action.option_strings and action.required else ""
    told = (action.help or "").replace("%%", "%").replace("|", "\\|")
    return "; ".join(part for part in (needed, told) if part)


if __name__ == "__main__":
    PAGE.write_text(page())
