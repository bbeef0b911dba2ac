"""Our image, built once for all tests: of wheels that this machine has, on the base image of the tests."""

import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest
from typing_extensions import override

from tests.deploy.docker_client import ROOT, Docker

IMAGE: Final = "ymir-test:local"
DOWNLOAD_SECONDS: Final = 300
PYTHON_OF: Final = "import sys; print(*sys.version_info[:2], sep='.')"


class Wheels(SimpleHTTPRequestHandler):
    """Lists a folder, as pip reads it, and says nothing of who asks."""

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def docker(docker_settings: Mapping[str, str]) -> Docker:
    return Docker(docker_settings)


@pytest.fixture(scope="session")
def image(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the name of our image."""
    wheels = tmp_path_factory.mktemp("wheels")
    python = docker("run", "--rm", "--network=none", docker.base, "python3", "-c", PYTHON_OF)
    _download(wheels, python=python.strip())
    with _served(wheels) as url:
        given = {"BASE": docker.base, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": url, "REVISION": "of-a-test"}
        arguments = [f"--build-arg={name}={value}" for name, value in given.items()]
        docker("build", "--network=host", "--file=deploy/Dockerfile", f"--tag={IMAGE}", *arguments, ".")
    return IMAGE


def _download(wheels: Path, *, python: str) -> None:
    """Bring the wheels that an image with a version of Python needs; most are in pip's cache."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", f"--python-version={python}"]
    what = [f"--dest={wheels}", f"--constraint={ROOT / 'requirements.lock'}", *project["dependencies"], "hatchling"]
    done = subprocess.run([*download, *what], check=False, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS)
    assert done.returncode == 0, done.stderr[-3000:]


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Wheels, directory=str(folder))) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            serving.join()
