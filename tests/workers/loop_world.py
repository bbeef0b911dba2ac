"""A place with labeled pictures and executors written as scripts, and a way to run handlers in it."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import orjson
import yaml
from pydantic import JsonValue

from schemas.annotations import GROUND_TRUTH, ObjectType
from schemas.datasets import Version
from schemas.errors import Conflict
from schemas.executors import Executor, ExecutorSubmission, Limits, Runtime
from schemas.models import Model
from schemas.outcomes import ModelRecord, Outcome, VersionDraft
from schemas.parameters import Parameters
from schemas.projects import ClassEntry, ClassList, Project
from schemas.reports import Report
from schemas.schema import Id, new_id
from schemas.splits import Split
from schemas.tasks import Input, Task
from storage.cache import BlobCache
from storage.datasets.content import Content, LayerContent, whole_segment
from storage.datasets.library import Library
from storage.datasets.rows import AnnotationRow, AssetRow, ImageRow
from storage.datasets.segments import build_segment
from storage.datasets.selections import all_rows
from storage.folder import FolderBlobs
from storage.ports import Blobs, Database
from storage.sqlite import open_database
from tests.factories import NOON, PROJECT, a_task
from tests.workers.pictures import a_jpeg
from workers.executors.process import ProcessRuntime, ProcessSettings
from workers.executors.registry import inspect
from workers.executors.runs import Runtimes
from workers.image_pool import ImagePool, open_pool
from workers.images import SIDEWAYS
from workers.importing.settings import ImportSettings
from workers.work import Work

CAT = AnnotationRow(class_name="cat", box=(1.0, 2.0, 10.0, 12.0))
DOG = AnnotationRow(class_name="dog", box=(5.0, 6.0, 8.0, 4.0))
FIFO = "fifo"
QUICK = ProcessSettings(grace_seconds=0.5, poll_seconds=0.05)


@dataclass(frozen=True)
class World:
    """Where things are kept, and what handlers need."""

    folder: Path
    database: Database
    blobs: Blobs
    library: Library
    cache: BlobCache
    runtimes: Runtimes
    pool: ImagePool

    def stores(self) -> dict[str, Any]:
        """Return the dependencies of a handler that works on versions alone."""
        return {"library": self.library, "blobs": self.blobs, "database": self.database}

    def tools(self) -> dict[str, Any]:
        """Return the dependencies of a handler that runs executors."""
        return {
            **self.stores(),
            "cache": self.cache,
            "runtimes": self.runtimes,
            "pool": self.pool,
        }

    def infer_tools(self) -> dict[str, Any]:
        """Return the dependencies of inference, which may be on uploaded pictures."""
        return {**self.tools(), "pool": self.pool, "settings": ImportSettings(infer_pictures=10)}

    def work(self, parameters: Parameters, inputs: Mapping[str, Id] | None = None) -> Work[Any]:
        """Return an attempt at a new task."""
        resolved = tuple(
            Input(pointer=pointer, ref="any", version=version) for pointer, version in (inputs or {}).items()
        )
        task: Task = a_task(parameters=parameters, inputs=resolved)
        return Work(task, parameters, scratch=Path(mkdtemp(dir=self.folder)), now=lambda: NOON)

    async def pictures(
        self,
        labels: Sequence[Sequence[AnnotationRow] | None],
        *,
        seed: int = 0,
        hashes: Sequence[bytes] = (),
    ) -> Content:
        """Keep an image for each of the labels (None: not annotated) and return their content."""
        images = []
        for number in range(len(labels)):
            data = f"picture {seed}.{number}".encode()
            ref = await self.blobs.put(data, media_type="image/jpeg")
            asset = bytes.fromhex(ref.digest.removeprefix("sha256:"))
            images.append(
                ImageRow(
                    asset,
                    f"{number}.jpg",
                    width=100,
                    height=80,
                    size=len(data),
                    media_type="image/jpeg",
                    perceptual_hash=hashes[number] if hashes else b"",
                )
            )
        rows = [label or () for label in labels]
        built = build_segment(images, rows, layer=GROUND_TRUTH, described=True)
        segment = await self.library.keep_segment(built)
        annotated = all_rows(len(labels)).copy()
        order = sorted(range(len(labels)), key=lambda number: images[number].asset)
        for row, number in enumerate(order):
            annotated[row] = labels[number] is not None
        return Content(
            images={Split.NONE: {segment: all_rows(len(labels))}},
            layers={GROUND_TRUTH: LayerContent({segment: annotated})},
        )

    async def photograph(
        self, labels: Sequence[AnnotationRow], *, width: int, height: int, orientation: int = 1, seed: int = 0
    ) -> Content:
        """Keep a picture that can be decoded, so large as displayed, with its labels."""
        sides = (height, width) if orientation in SIDEWAYS else (width, height)
        data = a_jpeg(seed, width=sides[0], height=sides[1], orientation=orientation)
        ref = await self.blobs.put(data, media_type="image/jpeg")
        asset = bytes.fromhex(ref.digest.removeprefix("sha256:"))
        row = ImageRow(asset, "p.jpg", width, height, orientation, 3, len(data), "image/jpeg", bytes(32))
        built = build_segment([row], [labels], layer=GROUND_TRUTH, described=True)
        return whole_segment(await self.library.keep_segment(built), rows=1, layer=GROUND_TRUTH, split=Split.NONE)

    async def version(self, content: Content) -> Id:
        """Keep a version with a content and return its id."""
        kept = await self.library.keep(content)
        identity = new_id()
        version = Version(
            id=identity,
            project=PROJECT,
            dataset=new_id(),
            dataset_name="pictures",
            number=1,
            digest=kept.digest,
            manifest=kept.manifest,
            task=new_id(),
            made_by="import",
            counts=kept.counts,
            created_at=NOON,
        )
        await self.database.documents(Version).add(version)
        return identity

    async def executor(
        self, script: str, *, templates: Mapping[str, str] | None = None, limits: Limits | None = None
    ) -> Executor:
        """Register a script as the executor ``fake``, in the place of an earlier one."""
        folder = Path(mkdtemp(dir=self.folder, prefix="executor-"))
        (folder / "img-man").mkdir()
        for purpose, text in (templates or dict.fromkeys(("training", "mining", "infer"), "epochs: 1\n")).items():
            (folder / "img-man" / f"{purpose}-template.yaml").write_text(text)
        (folder / "start.sh").write_text(script)
        submission = ExecutorSubmission(
            name="fake", runtime=Runtime.PROCESS, reference=str(folder), limits=limits or Limits()
        )
        executor = inspect(submission, roots=[self.folder], at=NOON)
        executors = self.database.documents(Executor)
        try:
            await executors.add(executor)
        except Conflict:
            was = await executors.get(executor.id)
            await executors.replace(executor.model_copy(update={"generation": was.generation + 1}), was=was)
        return executor

    async def keep_model(self, outcome: Outcome) -> Model:
        """Keep the model of an outcome as the consumer does."""
        model = model_of(outcome)
        await self.database.documents(Model).add(model)
        return model

    async def report(self, outcome: Outcome) -> Report:
        """Return the report of an outcome."""
        assert outcome.report is not None
        return Report.model_validate(orjson.loads(await self.blobs.get(outcome.report.digest)))

    async def rows(self, outcome: Outcome) -> dict[str, AssetRow]:
        """Return the assets of the version that an outcome makes, by id."""
        return {row.asset: row async for row in self.library.rows(await self.content(outcome))}

    async def content(self, outcome: Outcome) -> Content:
        """Return the content of the version that an outcome makes."""
        assert outcome.problem is None, outcome.problem
        (draft,) = outcome.records
        assert isinstance(draft, VersionDraft)
        return await self.library.content(draft.digest)


def model_of(outcome: Outcome) -> Model:
    """Return the model of an outcome."""
    (record,) = outcome.records
    assert isinstance(record, ModelRecord)
    return record.model


def python(code: str) -> str:
    """Return a script that runs Python with ``env`` and ``config`` read, as executors do."""
    head = (
        "import json, math, os, pathlib, sys, time, yaml\n"
        "env = yaml.safe_load(open(os.environ['DEFAULT_ENV_FILE_PATH']))\n"
        "config = yaml.safe_load(open(os.environ['DEFAULT_CONFIG_FILE_PATH']))\n"
        "given, out = env['input'], env['output']\n"
        "lines = lambda path: pathlib.Path(path).read_text().splitlines()\n"
    )
    return f"exec \"$PYTHON\" - <<'END'\n{head}{code}\nEND\n"


def trains(then: str = "", *, metric: str = "0.5") -> str:
    """Return a script that trains two stages, then does something more."""
    return python(
        "for stage in ('first', 'second'):\n"
        "    folder = pathlib.Path(out['models_dir'], stage)\n"
        "    folder.mkdir(parents=True, exist_ok=True)\n"
        "    (folder / 'weights.bin').write_bytes(stage.encode())\n"
        "stages = {'first': {'stage_name': 'first', 'files': ['weights.bin'], 'mAP': 0.25, 'timestamp': time.time()},\n"
        f"          'second': {{'stage_name': 'second', 'files': ['weights.bin'], 'mAP': {metric}, 'timestamp': 7}}}}\n"
        "result = {'best_stage_name': 'second', 'model_stages': stages}\n"
        "yaml.safe_dump(result, open(out['training_result_file'], 'w'))\n"
        f"print('trained on', len(lines(given['training_index_file'])), flush=True)\n{then}"
    )


TRAINS = trains()


def mines(*, scores: str = "len(ranked) - place", name: str = "'Ufo'", box: str = "1, 2, 3, 4") -> str:
    """Return a script that mines candidates in descending order of their paths, and infers on every second one."""
    return python(
        "images = lines(given['candidate_index_file'])\n"
        "if env['run_mining']:\n"
        "    ranked = sorted(images, reverse=True)\n"
        f"    rows = [f'{{image}}\\t{{{scores}}}\\n' for place, image in enumerate(ranked)]\n"
        "    pathlib.Path(out['mining_result_file']).write_text(''.join(rows))\n"
        "if env['run_infer']:\n"
        f"    box = dict(zip('xywh', ({box})))\n"
        f"    boxes = [{{'box': box, 'class_name': name, 'score': 0.75}} for name in ('cat', {name})]\n"
        "    found = {pathlib.Path(image).name: {'boxes': boxes} for image in images[::2]}\n"
        "    json.dump({'detection': found}, open(out['infer_result_file'], 'w'))\n"
    )


MINES = mines()


def signals(fifo: Path) -> str:
    """Return Python that tells the test that it has come so far, and then hangs."""
    return f"open({str(fifo)!r}, 'w').close()\ntime.sleep(1000)\n"


async def comes(fifo: Path) -> None:
    """Wait until a script has come so far."""
    async with asyncio.timeout(30):
        await asyncio.to_thread(fifo.read_bytes)


def config_of(work: Work[Any]) -> dict[str, JsonValue]:
    """Return the config.yaml of an attempt, read again."""
    values: dict[str, JsonValue] = yaml.safe_load((work.scratch / "in" / "config.yaml").read_text())
    return values


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    """Give a project for detection of cats and dogs in a folder."""
    async with open_database(folder / "documents.sqlite") as database, open_pool(processes=1) as pool:
        blobs = FolderBlobs(folder / "blobs")
        os.mkfifo(folder / FIFO)
        project = Project(id=PROJECT, name="animals", object_type=ObjectType.DETECTION, created_at=NOON)
        await database.documents(Project).add(project)
        classes = ClassList(id=PROJECT, classes=(ClassEntry(name="cat", aliases=("kitty",)), ClassEntry(name="dog")))
        await database.documents(ClassList).add(classes)
        yield World(
            folder=folder,
            database=database,
            blobs=blobs,
            library=Library(database, blobs),
            cache=BlobCache(blobs, folder / "cache", 1 << 30),
            runtimes={Runtime.PROCESS: ProcessRuntime(QUICK)},
            pool=pool,
        )
