"""An S3 server over a folder: rclone, from the wheel of the extra ``servers``; for tests only."""

import io
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from schemas.schema import Digest
from storage.blob_files import place
from storage.s3_client import connect, read_address
from tests.servers.process import ServerProcess, accepts, free_port

INSTALL: Final = "make install (or: pip install .[servers])"
ACCESS_KEY: Final = "ymir"
SECRET_KEY: Final = "for-tests-only"  # noqa: S105 - of a server on the loopback interface that keeps nothing
BUCKET: Final = "blobs"


def program() -> str | None:
    """Return the path of rclone, None if there is none."""
    return shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")


@contextmanager
def running(folder: Path) -> Iterator[tuple[ServerProcess, Mapping[str, str]]]:
    """Start an S3 server over a folder; yield it and the settings that name it, and kill it afterwards.

    What is in the bucket lies in ``folder / "data" / BUCKET``.
    """
    port, path = free_port(), program()
    if path is None:
        raise RuntimeError(f"no rclone here; to install: {INSTALL}")
    (folder / "data" / BUCKET).mkdir(parents=True, exist_ok=True)
    serve = [path, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"]
    place_of_data = ["--config", "rclone.conf", "--cache-dir", "cache", "data"]
    process = ServerProcess([*serve, *place_of_data], folder=folder, is_ready=lambda: accepts(port))
    try:
        process.start()
        yield (
            process,
            {
                "YMIR_S3_URL": f"http://127.0.0.1:{port}/{BUCKET}",
                "YMIR_S3_ACCESS_KEY": ACCESS_KEY,
                "YMIR_S3_SECRET_KEY": SECRET_KEY,
            },
        )
    finally:
        process.kill()


def damage_object(url: str, keys: Mapping[str, str], digest: Digest) -> None:
    """Change a byte of a blob, which is in a bucket under a prefix, behind the back of the adapter."""
    address = read_address(url)
    client = connect(address, **keys, region="us-east-1", connections=1)
    name = place(Path(address.prefix), digest).as_posix()
    with closing(client.get_object(address.bucket, name)) as response:
        data = response.read()
    changed = bytes([data[0] ^ 1]) + data[1:]
    client.put_object(address.bucket, name, io.BytesIO(changed), len(changed))
