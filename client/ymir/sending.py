"""Where an import takes its files from: as the command line names it, and as the service can read it."""

import asyncio
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from client.api import Client
from client.calls import Refused
from client.packing import no_files_in
from client.reach import Reached, Target
from client.uploading import upload
from client.ymir.ending import say
from client.ymir.progress import bytes_shown, displayed
from schemas.errors import Invalid
from schemas.tasks import Task
from schemas.uploads import Upload

POINTER: Final = "/source/path"
FILES_TOLD: Final = 10


def local_path(parameters: dict[str, Any], given: Namespace) -> Path | None:
    """Return the folder or archive of this machine that is to be imported, if one is; raise Invalid without it."""
    path = parameters.get("source", {}).get("path") if isinstance(parameters.get("source"), dict) else None
    if path is None or given.on_server:
        return None
    found = Path(path).absolute()
    if not found.exists():
        step = "Correct the path; one on the machine of the service needs --on-server."
        raise Invalid(f"There is nothing at {found}.", step=step)
    return found


async def asked(reached: Reached, project: str, parameters: dict[str, Any], path: Path | None, target: Target) -> Task:
    """Ask for a task. A local path is named where the service can read it, else its files are sent first."""
    client = reached.client
    if path is None:
        return await client.submit(project, parameters)
    if target.url is None:  # the service is on this machine, and perhaps may read there
        try:
            return await client.submit(project, {**parameters, "source": {"path": str(path)}})
        except Refused as refused:
            if all(error.pointer != POINTER for error in refused.problem.errors):
                raise
    found = await sent(client, path)
    return await client.submit(project, {**parameters, "source": {"upload": found.id}})


async def sent(client: Client, path: Path) -> Upload:
    """Send a file, or the files of a folder as one archive, and show how far that is; return the upload."""
    with displayed() as display:
        found = await upload(client, path, seen=lambda done, of: bytes_shown(display, f"sending {path.name}", done, of))
    if left := await asyncio.to_thread(lambda: sorted(no_files_in(path))):
        more = f" and {len(left) - FILES_TOLD:,} more" if len(left) > FILES_TOLD else ""
        say(f"warning: not sent, as it is no file: {', '.join(map(str, left[:FILES_TOLD]))}{more}")
    return found
