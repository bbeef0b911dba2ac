"""Label Studio in an environment of its own: one that a setting names, one kept from before, or, in CI, one made."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from tests.servers.process import ServerProcess, accepts, free_port

RELEASE: Final = "1.23.2"
SETTING: Final = "YMIR_TEST_LABEL_STUDIO_URL"
ENVIRONMENT: Final = "YMIR_TEST_LABEL_STUDIO"
INSTALL: Final = f"python -m venv FOLDER && FOLDER/bin/pip install label-studio=={RELEASE}, and {ENVIRONMENT}=FOLDER"
USER: Final = "a@example.org"
TOKEN: Final = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105 - of a server on the loopback interface that keeps nothing
INSTALL_SECONDS: Final = 900
# It makes its tables first, which are many.
START_SECONDS: Final = 300.0
ANSWER_SECONDS: Final = 5.0


def program() -> str | None:
    """Return the path of Label Studio, None if there is none; CI installs it."""
    if ENVIRONMENT in os.environ:
        return str(_program_in(Path(os.environ[ENVIRONMENT])))
    if os.environ.get("CI") and not _is_complete():
        _install()
    return str(_program_in(_kept())) if _is_complete() else shutil.which("label-studio")


@contextmanager
def running(folder: Path) -> Iterator[tuple[ServerProcess, Mapping[str, str]]]:
    """Start a Label Studio with one user on data in a folder; yield it and the settings that name it, then kill it."""
    port, path = free_port(), program()
    if path is None:
        raise RuntimeError(f"no Label Studio here; to install: {INSTALL}")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    environment = {
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data"),
        "LABEL_STUDIO_USERNAME": USER,
        "LABEL_STUDIO_PASSWORD": "for tests only",
        "LABEL_STUDIO_USER_TOKEN": TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        # It tells addresses of the loopback interface.
        "SSRF_PROTECTION_ENABLED": "false",
        "USE_DEFAULT_BANNED_SUBNETS": "false",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    command = [path, "start", "--no-browser", "--port", str(port), "--internal-host", "127.0.0.1"]
    process = ServerProcess(
        command,
        folder=folder,
        environment=environment,
        is_ready=lambda: accepts(port) and _answers(port),
        start_seconds=START_SECONDS,
    )
    try:
        process.start()
        yield process, {SETTING: f"http://127.0.0.1:{port}"}
    finally:
        process.kill()


def _answers(port: int) -> bool:
    """Return whether the server knows its user: that is the last thing that it does before it serves."""
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        with closing(connection):
            connection.request("GET", "/api/users/", headers={"Authorization": f"Token {TOKEN}"})
            return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False


def _kept() -> Path:
    """Return where the environment is kept from one run to the next: a gigabyte."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ymir"
    return cache / f"label-studio-{RELEASE}-{sys.version_info.major}.{sys.version_info.minor}"


def _program_in(environment: Path) -> Path:
    return environment / "bin" / "label-studio"


def _is_complete() -> bool:
    return _program_in(_kept()).exists() and (_kept() / "complete").exists()


def _install() -> None:
    folder = _kept()
    shutil.rmtree(folder, ignore_errors=True)
    steps = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin" / "pip"), "install", "--quiet", f"label-studio=={RELEASE}"],
    )
    for step in steps:
        done = subprocess.run(step, check=False, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        if done.returncode:
            raise RuntimeError(f"{step[0]} failed: {(done.stdout + done.stderr)[-2000:]}")
    (folder / "complete").touch()
