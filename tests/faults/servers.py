"""Servers that tests break: started for them alone, whatever others run."""

import asyncio
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.faults.sizes import ACKNOWLEDGED_SECONDS
from tests.faults.waiting import until
from tests.servers import mongod, rabbitmq, s3
from tests.servers.found import KINDS, MONGO, RABBITMQ, S3, required
from tests.servers.process import ServerProcess, accepts

GONE_SECONDS = 10.0
# How long RabbitMQ waits for an acknowledgement, and how often it looks; its own are half an hour and a minute.
BROKER = f"[{{rabbit, [{{consumer_timeout, {ACKNOWLEDGED_SECONDS * 1000}}}, {{channel_tick_interval, 1000}}]}}].\n"


class Server(NamedTuple):
    """A server that can be killed and started again on what it has kept."""

    process: ServerProcess
    port: int

    async def kill(self) -> None:
        """End it as a power cut would; return when nothing answers any more."""
        await asyncio.to_thread(self.process.kill)
        await until(self._is_gone, seconds=GONE_SECONDS)

    async def start(self) -> None:
        """Start it again, or wake it up, unless it runs; it runs then even if this is cancelled."""
        starting = asyncio.ensure_future(asyncio.to_thread(self._start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await starting
            raise

    def _start(self) -> None:
        self.process.signal(signal.SIGCONT)
        if not accepts(self.port):
            self.process.start()

    async def _is_gone(self) -> bool:
        return not await asyncio.to_thread(accepts, self.port)


class Servers(NamedTuple):
    """The three servers of the production profile, and the settings that name them."""

    database: Server
    broker: Server
    shelf: Server
    settings: Mapping[str, str]
    bucket: Path
    """The folder in which the S3 server keeps its objects."""
    broker_logs: Path

    def broker_said(self) -> str:
        """Return what the broker has logged so far."""
        return "".join(file.read_text() for file in self.broker_logs.glob("*.log"))


@contextmanager
def own_servers(folder: Path) -> Iterator[Servers]:
    """Run servers of our own on data in a folder."""
    for kind in KINDS:
        if kind in {MONGO, RABBITMQ, S3}:
            required(kind.name, install=kind.install, found=kind.program() is not None)
    (folder / "rabbitmq").mkdir(parents=True)
    (folder / "rabbitmq" / "rabbitmq.config").write_text(BROKER)
    with ExitStack() as stack:
        database, documents = stack.enter_context(mongod.running(folder / "mongod"))
        broker, messages = stack.enter_context(rabbitmq.running(folder / "rabbitmq"))
        shelf, blobs = stack.enter_context(s3.running(folder / "s3"))
        yield Servers(
            database=Server(database, _port(documents[MONGO.setting])),
            broker=Server(broker, _port(messages[RABBITMQ.setting])),
            shelf=Server(shelf, _port(blobs[S3.setting])),
            settings={**documents, **messages, **blobs},
            bucket=folder / "s3" / "data" / s3.BUCKET,
            broker_logs=folder / "rabbitmq" / "log",
        )


def _port(url: str) -> int:
    return urlsplit(url).port or 0
