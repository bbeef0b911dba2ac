"""The Docker engine: calls to it in threads of its own, and its errors as ours."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from schemas.errors import Invalid, Unavailable, YmirError

if TYPE_CHECKING:
    from docker import DockerClient

ANSWER_SECONDS: Final = 60
# Each running container has one thread that reads its output; the others are short calls.
THREADS: Final = 64
SERVER_FAULT: Final = 500
# What a registry, or the program that starts containers, says goes through the engine as a fault of the engine.
LASTING: Final = (
    "unauthorized",
    "access denied",
    "access forbidden",
    "denied:",
    "manifest unknown",
    "no matching manifest",
    "oci runtime create failed",
    "could not select device driver",
    "executable file not found",
    "unresolvable cdi devices",
)

P = ParamSpec("P")
R = TypeVar("R")


class Engine:
    """One engine, at the address of the environment's ``DOCKER_HOST`` unless told otherwise."""

    def __init__(self, url: str = "") -> None:
        self._url = url
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="engine")

    @cached_property
    def client(self) -> "DockerClient":
        """The client, for use inside ``call``. Raises Unavailable."""
        import docker  # noqa: PLC0415 - it takes long to load, and most commands need none

        with engine_errors():
            where: dict[str, Any] = {"base_url": self._url} if self._url else {}
            if self._url:
                return docker.DockerClient(**where, version="auto", timeout=ANSWER_SECONDS)
            return docker.from_env(version="auto", timeout=ANSWER_SECONDS)

    async def call(self, function: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
        """Call what blocks on the engine; raise Unavailable if it does not answer, Invalid for what it refuses."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, partial(_called, function, *arguments, **options)
        )

    async def info(self) -> dict[str, Any]:
        """Return what the engine says of itself and its machine. Raises Unavailable."""
        return await self.call(lambda: dict(self.client.info()))

    def close(self) -> None:
        """Let go of the threads; a call that hangs ends with the process."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if "client" in vars(self):
            self.client.close()


@contextmanager
def engine_errors(step: str = "") -> Iterator[None]:
    """Turn what the client raises into Unavailable, or Invalid for what the engine will always refuse."""
    from docker.errors import APIError, DockerException  # noqa: PLC0415 - as above
    from requests.exceptions import RequestException  # noqa: PLC0415 - as above

    try:
        yield
    except APIError as error:
        said = str(error.explanation or error)
        raise _meant(said, status=error.status_code or SERVER_FAULT, step=step) from error
    except (DockerException, RequestException, OSError) as error:
        raise Unavailable(
            f"The Docker engine does not answer: {error}.",
            step="See whether it runs, and whether the worker may use it.",
        ) from error


def refusal(said: str, *, step: str = "") -> YmirError:
    """Return what an engine's complaint means when it comes without a status."""
    return _meant(said, status=SERVER_FAULT, step=step)


def _meant(said: str, *, status: int, step: str) -> YmirError:
    if status < SERVER_FAULT or any(word in said.lower() for word in LASTING):
        return Invalid(f"The Docker engine refuses: {said[:1_000]}", step=step)
    return Unavailable(f"The Docker engine failed: {said[:1_000]}", step=step)


def _called(function: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
    with engine_errors():
        return function(*arguments, **options)
