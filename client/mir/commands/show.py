"""``mir show``: what a state of a branch holds."""

from argparse import Namespace

from client.mir.glance import Glanced, glanced_version
from client.mir.repository import Entry, Repository, open_repository
from client.mir.revs import MASTER, Rev, parse_rev
from client.mir.states import State, kept_state
from client.mir.telling import show as print_line


async def show(given: Namespace) -> None:
    """Print the keywords and the counts of a state; with ``--verbose`` also those of each layer and class."""
    repository = open_repository(given.root)
    rev = repository.meant(parse_rev(given.src_revs))
    done = _done(repository, rev)
    state = await _state(repository, rev, done)
    for line in _lines(state):
        print_line(line)
    if done is not None and done.code:
        print_line(f"return code: {done.code}, return msg: {done.message}")
    if done is not None and (given.verbose or done.type == "train"):
        from client.mir.models import model_lines  # noqa: PLC0415 - needs the service

        for line in await model_lines(repository, done):
            print_line(line)
    for line in _verbose_lines(state) if given.verbose else ():
        print_line(line)


def _done(repository: Repository, rev: Rev) -> Entry | None:
    """Return the command that came to a state, as far as the repository knows."""
    entries = [entry for entry in repository.history() if entry.branch == rev.branch and rev.tid in {None, entry.tid}]
    return entries[-1] if entries else None


async def _state(repository: Repository, rev: Rev, done: Entry | None) -> State:
    empty = State(hid=(rev.tid or (done.tid if done else "")) or "")
    if rev.branch == MASTER:
        return empty
    try:
        identity = glanced_version(repository, rev)
    except Glanced:
        identity = None
    kept = None if identity is None else kept_state(repository, identity)
    if kept is not None:
        return kept
    from client.mir.looking import looked_state  # noqa: PLC0415 - only where a glance is not enough

    return await looked_state(repository, rev) or empty


def _lines(state: State) -> list[str]:
    splits = {prefix: state.count(prefix) for prefix in ("tr", "va", "te")}
    counts = ", ".join(f"{prefix}: {count}" for prefix, count in splits.items())
    return [
        ";".join(state.keywords),
        ";".join(state.custom_keywords),
        f"metadatas.mir: {state.images} assets, {counts}, unknown: {state.images - sum(splits.values())}",
        f"annotations.mir: hid: {state.hid}, {state.annotated} assets",
        f"tasks.mir: hid: {state.hid}",
    ]


def _verbose_lines(state: State) -> list[str]:
    lines = [f"name: {state.message}"] if state.message else []
    lines += [f"digest: {state.digest}"] if state.digest else []
    for layer in state.layers:
        lines.append(
            f"{layer.name}: {layer.annotations} annotations, {layer.assets} assets with and {layer.empty} without any"
        )
        lines += [f"  {name}: {count}" for name, count in sorted(layer.classes.items(), key=lambda one: -one[1])]
    return lines
