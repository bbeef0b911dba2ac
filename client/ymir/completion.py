"""Completion in shells: a few lines for each, which ask the command itself."""

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from client.commands import LazyParser, parser
from client.ymir.telling import tell

SCRIPTS: Final[Mapping[str, str]] = {
    "bash": """\
_ymir() {
    local IFS=$'\\n'
    COMPREPLY=($(ymir complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _ymir ymir""",
    "zsh": """\
#compdef ymir
_ymir() {
    local -a found
    found=("${(@f)$(ymir complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _ymir ymir""",
    "fish": """\
function __ymir
    set -l words (commandline -opc) (commandline -ct)
    set -l found (ymir complete $words[2..] 2>/dev/null)
    if set -q found[1]; printf '%s\\n' $found; else; __fish_complete_path (commandline -ct); end
end
complete -c ymir -f -a '(__ymir)'""",
}


def add_completion(parser: ArgumentParser, _: str) -> None:
    """Add the arguments of ``ymir completion``."""
    parser.add_argument(
        "shell", choices=tuple(SCRIPTS), help='bash: eval "$(ymir completion bash)"; zsh and fish alike'
    )
    parser.set_defaults(run=_write)


def complete(words: Sequence[str]) -> int:
    """Write each word that the last of some may become; nothing where it is a file or free text."""
    tell("\n".join(candidates(words)))
    return 0


def candidates(words: Sequence[str]) -> list[str]:
    """Return each word that the last of some may become, in order."""
    *before, begun = words or [""]
    at: LazyParser = parser()
    waiting: argparse.Action | None = None
    for word in before:
        below = _below(at.filled())
        if waiting is None and word in below:
            at = below[word]
        waiting = None if word.startswith("-") and "=" in word else _option(at, word)
    found = _values(waiting) if waiting is not None else _words(at.filled(), begun)
    return [word for word in found if word.startswith(begun)]


def _below(at: ArgumentParser) -> Mapping[str, LazyParser]:
    found = [action for action in at._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001 - argparse tells it in no other way
    return found[0].choices if found else {}


def _option(at: LazyParser, word: str) -> argparse.Action | None:
    """Return the option whose value comes after a word, if one does."""
    option = at.filled()._option_string_actions.get(word)  # noqa: SLF001 - argparse tells it in no other way
    return option if option is not None and option.nargs != 0 else None


def _values(action: argparse.Action) -> Iterator[str]:
    if action.choices is not None:
        yield from map(str, action.choices)


def _words(at: LazyParser, begun: str) -> Iterator[str]:
    if below := _below(at):
        yield from below
    if begun.startswith("-"):
        yield from at._option_string_actions  # noqa: SLF001 - argparse tells it in no other way
    for action in at._get_positional_actions():  # noqa: SLF001 - argparse tells it in no other way
        if not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse tells it in no other way
            yield from _values(action)


def _write(given: Namespace) -> int:
    tell(SCRIPTS[given.shell])
    return 0
