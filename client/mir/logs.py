"""What an executor left in the work folder: its log, and the configuration it was given."""

import json
from typing import Any

from client.calls import Refused
from client.mir.monitor import WorkFolder
from client.mir.session import Session

LOG = "ymir-executor-out.log"


def write_configuration(work: WorkFolder, configuration: dict[str, Any]) -> None:
    """Write the configuration that a run is given; JSON is YAML too."""
    if work.path is not None:
        work.given.mkdir(parents=True, exist_ok=True)
        (work.given / "config.yaml").write_text(json.dumps(configuration, indent=1, ensure_ascii=False) + "\n")


async def save_log(work: WorkFolder, session: Session, task: str | None) -> None:
    """Write what an executor said, if it said anything."""
    if work.path is None or task is None:
        return
    try:
        log = await session.client.read(f"/v1/tasks/{task}/log")
    except Refused:
        return
    (work.made / LOG).write_bytes(log)
