"""The toolbox: what the handlers work with, and the table of them by type of task."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from schemas.executors import Runtime
from storage.cache import BlobCache
from storage.datasets.library import Library
from storage.ports import Blobs, Bus, Database
from workers.delivery.sending import Sender
from workers.executors.images import Images
from workers.executors.runtime import ExecutorRuntime
from workers.handlers.branch import branch, revert
from workers.handlers.copy import copy
from workers.handlers.deliver import deliver
from workers.handlers.evaluate import evaluate
from workers.handlers.export import export
from workers.handlers.import_model import import_model
from workers.handlers.infer import infer
from workers.handlers.ingest import import_files
from workers.handlers.label import label
from workers.handlers.merge import merge
from workers.handlers.mine import mine
from workers.handlers.pull_executor import pull_executor
from workers.handlers.receive import receive
from workers.handlers.replay import replay
from workers.handlers.train import train
from workers.handlers.transform import transform
from workers.image_pool import ImagePool
from workers.importing.settings import ImportSettings
from workers.labeling.jobs import is_over
from workers.labeling.using import LabelingTools
from workers.merging.answers import all_answered
from workers.runner import Handler
from workers.steps.table import STEPS
from workers.sweep import IsOver


@dataclass(frozen=True, kw_only=True)
class Toolbox:
    """The ports that the composition root opened for the handlers."""

    database: Database
    blobs: Blobs
    library: Library
    cache: BlobCache
    pool: ImagePool
    runtimes: Mapping[Runtime, ExecutorRuntime]
    importing: ImportSettings
    sender: Sender
    labeling: LabelingTools
    bus: Bus
    images: Images | None = None
    """Those of the Docker engine, where one is used."""
    is_alone: bool = False
    """Whether no other process runs tasks of these stores."""


def handlers(tools: Toolbox) -> dict[str, Handler]:
    """Return the handler of each type of task that this release offers."""
    library, blobs, database = tools.library, tools.blobs, tools.database
    running: dict[str, Any] = {
        "library": library,
        "blobs": blobs,
        "database": database,
        "cache": tools.cache,
        "runtimes": tools.runtimes,
        "pool": tools.pool,
    }
    return {
        "import": partial(
            import_files, library=library, blobs=blobs, database=database, pool=tools.pool, settings=tools.importing
        ),
        "import_model": partial(import_model, blobs=blobs, database=database, settings=tools.importing),
        # Those that do more than their step come after it.
        **{kind: partial(transform, library=library, blobs=blobs, database=database) for kind in STEPS},
        "merge": partial(merge, library=library, blobs=blobs, database=database),
        "replay": partial(replay, library=library, blobs=blobs, database=database),
        "copy": partial(copy, library=library, blobs=blobs, database=database),
        "branch": partial(branch, library=library),
        "revert": partial(revert, library=library),
        "train": partial(train, **running),
        "mine": partial(mine, **running),
        "infer": partial(infer, **running, settings=tools.importing),
        "label": partial(label, library=library, blobs=blobs, database=database, tools=tools.labeling),
        "evaluate": partial(evaluate, library=library, blobs=blobs, database=database),
        "receive": partial(receive, database=database, blobs=blobs, bus=tools.bus, tools=tools.labeling),
        "deliver": partial(deliver, database=database, sender=tools.sender),
        "pull_executor": partial(pull_executor, images=tools.images, is_alone=tools.is_alone),
        "export": partial(export, library=library, blobs=blobs, database=database),
    }


def what_is_over(database: Database) -> dict[str, IsOver]:
    """Return, by type, how to tell whether what a waiting task waits for has come."""
    return {"label": partial(is_over, database=database), "merge": partial(all_answered, database=database)}
