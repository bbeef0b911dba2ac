"""``mir init``: a folder becomes a repository."""

from argparse import Namespace
from pathlib import Path

from client.mir.label_syncing import label_file_of, make_label_file
from client.mir.repository import Entry, make_repository, project_name, root_of
from client.mir.revs import parse_dst_rev
from client.mir.session import working
from client.mir.telling import show
from client.places import start_places


async def init(given: Namespace) -> None:
    """Make a folder a repository, with its project, at the service if one is named."""
    root = root_of(given.root)
    empty = None if given.with_empty_rev is None else parse_dst_rev(given.with_empty_rev)
    repository = make_repository(root, project=project_name(root))
    start_places(repository.data)
    make_label_file(label_file_of(repository, given.user_label_file))
    async with working(repository, label_file=given.user_label_file):
        pass
    if empty is not None:
        repository.note(Entry(empty.branch, empty.tid or "", "init", 0.0, message="init empty dataset"))
        repository.move_head(empty._replace(tid=None))
    show(f"mir repository made in {_shown(root)}")


def _shown(root: Path) -> str:
    return str(root.absolute())
