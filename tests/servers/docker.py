"""Docker's engine: the one that answers, else one of our own on its own socket; and a base image on it."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.servers import base_image
from tests.servers.process import ServerProcess

INSTALL: Final = f"apt-get install docker.io {base_image.PACKAGE}, and run as root"
PACKAGES: Final = ("docker.io", "docker-compose", "iptables", base_image.PACKAGE)
PID: Final = "docker.pid"
APT_SECONDS: Final = 600
ANSWER_SECONDS: Final = 30
STOP_SECONDS: Final = 20.0
PAUSE_SECONDS: Final = 0.05


def program() -> str | None:
    """Return the path of Docker's client if an engine and a base image are to be had.

    In CI, root installs what is missing, and Compose with it.
    """
    has_all = _complete() and shutil.which("docker-compose")
    if os.environ.get("CI") and os.geteuid() == 0 and shutil.which("apt-get") and not has_all:
        _install()
    return shutil.which("docker") if _complete() else None


@contextmanager
def running(folder: Path) -> Iterator[tuple[ServerProcess | None, Mapping[str, str]]]:
    """Yield the settings that name an engine with the base image, and its process if it was started for that.

    The first time on a machine, the base image takes a minute; no image is pulled. An engine of our own has no bridge
    and no rules for packets: its containers, and the steps of its builds, have the network ``host`` or ``none``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if _answers(os.environ):
        yield None, {base_image.SETTING: base_image.loaded(os.environ, folder)}
        return
    host = {"DOCKER_HOST": f"unix://{folder / 'docker.sock'}"}
    engine = {**os.environ, **host}
    process = ServerProcess(_command(folder), folder=folder, is_ready=lambda: _answers(engine))
    try:
        process.start()
        yield process, {**host, base_image.SETTING: base_image.loaded(engine, folder)}
    finally:
        _end(process, engine, folder)


def _command(folder: Path) -> list[str]:
    """Return the command of an engine that leaves whatever else runs containers on this machine alone."""
    files = {"data-root": "data", "exec-root": "exec", "pidfile": PID}
    own = [f"--{option}={folder / name}" for option, name in files.items()]
    network = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
    return ["dockerd", f"--host=unix://{folder / 'docker.sock'}", *own, *network]


def _end(process: ServerProcess, engine: Mapping[str, str], folder: Path) -> None:
    """Remove the containers, which outlive an engine that is killed, and end it so that it unmounts their disks."""
    if (folder / PID).exists():
        found = _client(engine, "ps", "--all", "--quiet").stdout.split()
        _client(engine, "rm", "--force", *found)
        process.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while (folder / PID).exists() and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)
    process.kill()
    _unmount(folder)
    base_image.remove_tree(folder / "data")  # gigabytes, which pytest would keep for days


def _unmount(folder: Path) -> None:
    """Unmount what an engine leaves behind even when it ends in order: the network of the host, under a name."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in reversed(mounted):
        if place.startswith(f"{folder}/"):
            command = ["umount", "--lazy", place]
            subprocess.run(command, check=True)


def _complete() -> bool:
    engine = _answers(os.environ) or (os.geteuid() == 0 and shutil.which("dockerd"))
    return bool(engine and base_image.is_to_be_had())


def _answers(engine: Mapping[str, str]) -> bool:
    return shutil.which("docker") is not None and _client(engine, "version").returncode == 0


def _client(engine: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", *arguments]
    return subprocess.run(command, env=engine, check=False, capture_output=True, text=True, timeout=ANSWER_SECONDS)


def _install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]):
        subprocess.run(command, check=True, env=environment, timeout=APT_SECONDS, stdout=subprocess.DEVNULL)
