"""The Docker runtime: an executor is an image, run in a container that may do little and leaves nothing behind."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, Final

import structlog
import yaml

from schemas.errors import YmirError
from schemas.executors import Executor
from schemas.schema import Digest, Id
from workers.executors.container_run import ContainerRun
from workers.executors.containers import (
    ROOT,
    Machine,
    creation,
    labels_of,
    name_of,
)
from workers.executors.docker_settings import DockerSettings
from workers.executors.engine import Engine
from workers.executors.images import Image, Images
from workers.executors.layout import Layout, RunFolder
from workers.executors.removing import labelled, remove_attempts
from workers.executors.runtime import Exit, Order

MANIFEST: Final = "/img-man/manifest.yaml"
READ_ONLY: Final = "read_only_root"

log = structlog.get_logger(__name__)


class DockerRuntime:
    """Runs images in containers of one engine."""

    def __init__(self, engine: Engine, *, deployment: str, settings: DockerSettings | None = None) -> None:
        """``deployment`` tells our containers from those of others on the same engine."""
        self._engine = engine
        self._images = Images(engine)
        self._deployment = deployment
        self._settings = settings or DockerSettings()
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._read_only: dict[Digest, bool] = {}
        self._running: set[tuple[Id, int]] = set()

    def layout(self, executor: Executor, folder: RunFolder) -> Layout:  # noqa: ARG002 - the same for all
        """Return the folders of the contract."""
        return Layout()

    async def digest(self, executor: Executor) -> Digest:
        """Return the digest of the image, pulled if need be; raise Invalid if nobody has it, or Unavailable."""
        return (await self._image(executor)).digest

    async def run(self, order: Order, *, progress: Callable[[float], None]) -> Exit:
        """Run the image's default command; see the port. Raises Unavailable, and Invalid for what cannot be started."""
        image = await self._image(order.executor)
        read_only = await self._is_read_only(image)
        stop, attempt = asyncio.Event(), (order.task, order.epoch)
        self._running.add(attempt)
        # Not to be cancelled on the way: whatever it has made by then, it removes.
        running = asyncio.ensure_future(self._run(order, image, stop, progress, read_only=read_only))
        running.add_done_callback(lambda _: self._running.discard(attempt))
        try:
            return await asyncio.shield(running)
        finally:
            stop.set()
            await asyncio.wait({running})
            if (error := running.exception()) is not None:
                log.warning("a container ended with an error", task=order.task, error=str(error))

    async def is_gone(self, task: Id, epoch: int) -> bool:
        """Return whether the engine has no container of an attempt, and this process makes none. Raises Unavailable."""
        if (task, epoch) in self._running:
            return False
        found = await labelled(self._engine, self._deployment, task=task)
        return all(one.epoch != epoch for one in found)

    async def _run(
        self,
        order: Order,
        image: Image,
        stop: asyncio.Event,
        progress: Callable[[float], None],
        *,
        read_only: bool,
    ) -> Exit:
        machine = Machine.of(await self._engine.info())
        await remove_attempts(self._engine, self._deployment, task=order.task, until=order.epoch)
        how = creation(order, image, settings=self._settings, machine=machine, read_only=read_only)
        await asyncio.to_thread(_handed_over, order.folder, how["user"])
        try:
            container = await self._engine.call(self._created, order, image, how)
            run = ContainerRun(self._engine, container, order, settings=self._settings, progress=progress, stop=stop)
            ended = await run.attended()
            if how["user"] == ROOT and os.getuid() and not machine.is_rootless:
                await self._handed_back(order, image, how)
            return ended
        finally:
            await remove_attempts(self._engine, self._deployment, task=order.task, since=order.epoch, until=order.epoch)

    async def _image(self, executor: Executor) -> Image:
        return await self._images.find_or_pull(executor.reference, pinned=executor.digest)

    async def _is_read_only(self, image: Image) -> bool:
        """Return whether an image declares that it writes nowhere but to ``/out`` and ``/tmp``."""
        if image.id not in self._read_only:
            files = await self._images.read_files(image, [MANIFEST])
            self._read_only[image.id] = _declared(files.get(MANIFEST, b""))
        return self._read_only[image.id]

    def _created(self, order: Order, image: Image, how: dict[str, Any]) -> str:
        api: Any = self._engine.client.api
        options = {key: value for key, value in how.items() if key != "host"}
        labels = labels_of(order, deployment=self._deployment, owner=self._owner)
        host = api.create_host_config(**how["host"])
        name = how.get("name") or name_of(order, self._deployment)
        options |= {"name": name, "labels": labels, "host_config": host}
        return str(api.create_container(image.id, **options)["Id"])

    async def _handed_back(self, order: Order, image: Image, how: dict[str, Any]) -> None:
        """Give what root wrote under ``/out`` to the worker, which could not remove it otherwise."""
        command = {"entrypoint": ["chown"], "command": ["-hRP", f"{os.getuid()}:{os.getgid()}", "/out"]}
        how = {**how, **command, "name": f"{name_of(order, self._deployment)}-back"}
        api: Any = self._engine.client.api
        try:
            container = await self._engine.call(self._created, order, image, how)
            await self._engine.call(api.start, container)
            await self._engine.call(api.wait, container, timeout=60)
        except YmirError as error:
            log.warning("files of root stay under the scratch folder", task=order.task, error=error.detail)


def _handed_over(folder: RunFolder, user: str) -> None:
    """Let the user of the container write into the output folder, where the worker is root and that is not."""
    if os.getuid() == 0:
        uid, _, gid = user.partition(":")
        for path in (folder.made, *folder.made.iterdir()):
            os.chown(path, int(uid), int(gid), follow_symlinks=False)


def _declared(manifest: bytes) -> bool:
    try:
        told = yaml.safe_load(manifest)
    except yaml.YAMLError:
        return False
    return isinstance(told, dict) and told.get(READ_ONLY) is True
