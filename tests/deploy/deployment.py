"""The gateway and the worker of docker-compose.yml as containers, against the servers of the tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from client.api import Client, connected, ready
from tests.deploy.docker_client import ROOT, Docker, compose_commands, said
from tests.deploy.env_file import env_file, settings_in
from tests.servers.process import free_port

SERVICES: Final = ("gateway", "worker")
READY_SECONDS: Final = 60.0
PORT: Final = "8080"


class Deployment:
    """A folder with docker-compose.yml and .env, and what runs by them."""

    def __init__(self, folder: Path, *, docker: Docker, image: str, stores: Mapping[str, str]) -> None:
        self.folder = folder
        self.docker = docker
        self.work = folder / "work"
        self.pictures = folder / "import"
        self._ports = {service: free_port() for service in SERVICES}
        self._environment = {**docker.environment, "YMIR_IMAGE": image}
        self._make(stores)

    async def compose(self, *arguments: str) -> str:
        """Run Compose."""
        command = [*compose_commands()[0], *arguments]
        return await asyncio.to_thread(said, command, folder=self.folder, environment=self._environment)

    async def container(self, service: str) -> str:
        """Return the id of the container of a service."""
        return (await self.compose("ps", "--all", "--quiet", service)).strip()

    @asynccontextmanager
    async def client(self, service: str = "gateway") -> AsyncIterator[Client]:
        """Yield a client with the administrator's key, once a service is ready."""
        url = f"http://127.0.0.1:{self._ports[service]}"
        async with connected(url, settings_in(self.folder / ".env")["YMIR_ADMIN_KEY"]) as client:
            await ready(client, seconds=READY_SECONDS)
            yield client

    def _make(self, stores: Mapping[str, str]) -> None:
        env_file(self.folder)
        for folder in (self.work, self.pictures):
            # Where the tests are not root's, the script cannot give them to the user of the image.
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
        whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        ours = {name: self._here(whole["services"][name], port=self._ports[name], stores=stores) for name in SERVICES}
        file = {"services": ours, "volumes": {"spool": None}}
        (self.folder / "docker-compose.yml").write_text(yaml.safe_dump(file))

    @staticmethod
    def _here(service: Mapping[str, Any], *, port: int, stores: Mapping[str, str]) -> Mapping[str, Any]:
        """Return a service as it is in the file, but for what this machine decides: image, network, port, stores."""
        text = json.dumps({name: value for name, value in service.items() if name not in {"build", "ports"}})
        changed: dict[str, Any] = json.loads(text.replace(PORT, str(port)))
        detector = {"YMIR_PROCESS_EXECUTORS": "/opt/ymir/executors/tiny-detector"}
        changed["environment"] |= {**stores, **detector}
        return {**changed, "network_mode": "host"}


@asynccontextmanager
async def deployed(folder: Path, *, docker: Docker, image: str, stores: Mapping[str, str]) -> AsyncIterator[Deployment]:
    """Run the gateway and the worker for the length of a test."""
    deployment = Deployment(folder, docker=docker, image=image, stores=stores)
    try:
        await deployment.compose("up", "--detach")
        yield deployment
    finally:
        await deployment.compose("down", "--volumes")
