"""Images of executors: found or pulled, and files read out of them without running them."""

import io
import tarfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from posixpath import join
from typing import Any, Final, NamedTuple

from schemas.errors import Invalid
from schemas.schema import Digest
from workers.executors.engine import Engine, engine_errors, refusal

FILE_BYTES: Final = 1 << 20
"""Larger files of an image are not read."""
ARCHIVE_BYTES: Final = 32 << 20
LINKS_FOLLOWED: Final = 5
INSPECTED: Final = "ymir.inspected"
PULL_STEP: Final = "See whether the reference is right, and whether the engine may pull it: docker pull."


class Image(NamedTuple):
    """An image that is on the engine."""

    id: Digest
    digest: Digest
    """The registry's digest of it where it came from one, the same on every machine; else its id."""
    labels: Mapping[str, str]
    command: tuple[str, ...]
    """What it runs by default, its entry point first; empty if it says nothing."""
    environment: tuple[str, ...]


class Images:
    """The images of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def find_or_pull(self, reference: str, *, pinned: Digest | None = None) -> Image:
        """Return the image of a reference, pulled if the engine lacks it.

        With ``pinned``, the digest under which it was registered, that image is taken while it is to be had: what the
        reference names may have changed since. Raise Invalid for an image that nobody has, Unavailable if the registry
        or the engine does not answer.
        """
        for name in _names(reference, pinned):
            found = await self.find(name)
            if found is not None:
                return found if name is reference or pinned is None else found._replace(digest=pinned)
        stop = threading.Event()
        try:
            return await self._engine.call(self._pulled, reference, pinned, stop)
        finally:
            stop.set()  # cancelled: the engine stops pulling when nobody listens

    async def find(self, reference: str) -> Image | None:
        """Return the image of a reference if the engine has it. Raises Unavailable."""
        return await self._engine.call(self._found, reference)

    async def read_files(self, image: Image, paths: Sequence[str]) -> dict[str, bytes]:
        """Return the files of an image at some absolute paths, by their paths; those below, where a path is a folder.

        What is missing is left out. Nothing of the image runs. Raise Invalid for a file that is too large.
        """
        return await self._engine.call(self._read, image.id, paths)

    def _found(self, reference: str) -> Image | None:
        from docker.errors import ImageNotFound, NotFound  # noqa: PLC0415 - as in the engine

        api: Any = self._engine.client.api  # the method has no types
        try:
            attributes = api.inspect_image(reference)
        except (ImageNotFound, NotFound):
            return None
        return _image(attributes, reference)

    def _pulled(self, reference: str, pinned: Digest | None, stop: threading.Event) -> Image:
        by_digest = f"{repository(reference)}@{pinned}" if pinned else None
        for name in (by_digest, reference):
            try:
                if name is not None:
                    self._pull(name, stop)
                    break
            except Invalid:
                if name is reference:
                    raise
        found = self._found(name or reference)
        if found is None:
            raise Invalid(f"The image {reference!r} was pulled, and is not there.", step=PULL_STEP)
        return found

    def _pull(self, reference: str, stop: threading.Event) -> None:
        name, tag = _name_and_tag(reference)
        with engine_errors(PULL_STEP):
            for told in self._engine.client.api.pull(name, tag=tag, stream=True, decode=True):
                if stop.is_set():
                    return
                if "error" in told:
                    raise refusal(f"{reference}: {told['error']}", step=PULL_STEP)

    def _read(self, image: Digest, paths: Sequence[str]) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        with self._created(image) as container:
            for path in paths:
                files |= dict(self._files(container, path))
        return files

    @contextmanager
    def _created(self, image: Digest) -> Iterator[str]:
        api = self._engine.client.api
        host = api.create_host_config(network_mode="none")
        labels = {INSPECTED: "true"}
        container = api.create_container(image, ["true"], host_config=host, labels=labels)["Id"]
        try:
            yield container
        finally:
            api.remove_container(container, force=True, v=True)

    def _files(self, container: str, path: str) -> Iterator[tuple[str, bytes]]:
        from docker.errors import NotFound  # noqa: PLC0415 - as in the engine

        target = path
        for _ in range(LINKS_FOLLOWED):
            try:
                chunks, told = self._engine.client.api.get_archive(container, target)
            except NotFound:
                return
            if not told.get("linkTarget"):
                yield from _unpacked(_bounded(chunks, path), path)
                return
            target = told["linkTarget"]


def repository(reference: str) -> str:
    """Return a reference without its tag and digest."""
    return _name_and_tag(reference.partition("@")[0])[0]


def _name_and_tag(reference: str) -> tuple[str, str | None]:
    name, at, digest = reference.partition("@")
    host, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    # A digest says more than a tag beside it; without either the engine would bring all tags.
    return f"{host}{slash}{last}", digest if at else tag or "latest"


def _names(reference: str, pinned: Digest | None) -> list[str]:
    return [reference] if pinned is None else [f"{repository(reference)}@{pinned}", pinned, reference]


def _image(attributes: Mapping[str, Any], reference: str) -> Image:
    config = attributes.get("Config") or {}
    digests = [name.partition("@")[::2] for name in attributes.get("RepoDigests") or ()]
    ours = repository(reference)
    known = [digest for name, digest in digests if name == ours]
    return Image(
        id=attributes["Id"],
        digest=known[0] if known else attributes["Id"],
        labels=config.get("Labels") or {},
        command=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        environment=tuple(config.get("Env") or ()),
    )


def _bounded(chunks: Iterable[bytes], path: str) -> bytes:
    whole = bytearray()
    for chunk in chunks:
        whole += chunk
        if len(whole) > ARCHIVE_BYTES:
            raise Invalid(f"{path} of the image has more than {ARCHIVE_BYTES} bytes.", step="Make it smaller.")
    return bytes(whole)


def _unpacked(archive: bytes, path: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            if not member.isfile():
                continue
            # The first part is the name of what was asked for, or of what a link led to.
            name = join(path, *member.name.split("/")[1:])
            if member.size > FILE_BYTES:
                raise Invalid(f"{name} of the image has more than {FILE_BYTES} bytes.", step="Make it smaller.")
            file = tar.extractfile(member)
            yield name, b"" if file is None else file.read()
