"""docker-compose.yml keeps the rules of a deployment, and both versions of Compose read it."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.docker_client import ROOT, Docker, compose_commands
from tests.deploy.env_file import env_file
from tests.servers.found import required

FILE = ROOT / "docker-compose.yml"
OTHER_S3 = ROOT / "deploy" / "s3-rclone.yml"
WHOLE: Mapping[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: Mapping[str, Mapping[str, Any]] = WHOLE["services"]
OURS = {"gateway", "worker", "executor-worker", "gpu-worker", "s3-folder"}
# They end at once.
ONCE = {"s3-folder"}
PINNED = re.compile(r"^[^:]+:(\d+\.\d+(\.\d+)?|RELEASE\.[\dTZ-]+)$")
SECRET = re.compile(r"PASS|SECRET|_KEY$")
FROM_ENV = re.compile(r"^\$\{YMIR_\w+:\?run deploy/env\.sh first\}$")

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


@each_service
def test_a_service_is_limited_and_its_log_rotates(service: Mapping[str, Any]) -> None:
    assert service["mem_limit"]
    assert 0 < service["cpus"] <= 2
    assert service["pids_limit"] > 0
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@each_service
def test_a_service_is_not_roots_and_cannot_become_it(service: Mapping[str, Any]) -> None:
    uid, gid = map(int, service["user"].split(":"))

    assert min(uid, gid) > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_stays_up_and_tells_how_it_is(name: str) -> None:
    service = SERVICES[name]

    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert service["healthcheck"].get("disable", False) == (name in ONCE)
    assert ("test" in service["healthcheck"]) == (name not in ONCE)


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_ours_or_pinned(name: str) -> None:
    service = SERVICES[name]

    assert ("build" in service) == (name in OURS)
    assert name in OURS or PINNED.match(service["image"])


@each_service
def test_no_secret_has_a_value_of_its_own(service: Mapping[str, Any]) -> None:
    for name, value in service.get("environment", {}).items():
        if SECRET.search(name) and name != "YMIR_S3_ACCESS_KEY":
            assert FROM_ENV.match(value), name
        if "@" in str(value):
            (secret,) = re.findall(r"://\w+:(.*?)@", value)
            assert FROM_ENV.match(secret), name


def test_the_other_s3_server_is_pinned_and_has_no_secret_of_its_own() -> None:
    (service,) = yaml.safe_load(OTHER_S3.read_text())["services"].values()

    pair = service["environment"]["RCLONE_AUTH_KEY"]
    assert PINNED.match(service["image"])
    assert FROM_ENV.match(pair.strip('"').partition(",")[2])


def test_only_the_gateway_is_published_and_only_to_this_host() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {"gateway": ["${YMIR_PUBLISH:-127.0.0.1:8080}:8080"]}


@pytest.mark.parametrize("name", ["worker", "executor-worker", "gpu-worker"])
def test_a_worker_sees_its_work_folder_under_the_path_of_the_host(name: str) -> None:
    work, *_ = SERVICES[name]["volumes"]

    assert work["type"] == "bind"
    assert re.findall(r"\$\{(\w+)", work["source"] + work["target"]) == ["YMIR_WORK", "YMIR_WORK"]
    assert SERVICES[name]["environment"]["YMIR_WORK"] == "${YMIR_WORK}"


def test_only_workers_of_containers_have_the_socket_of_the_engine_and_those_do_nothing_else() -> None:
    mounted = {name for name, service in SERVICES.items() if "docker.sock" in str(service.get("volumes", ""))}

    assert mounted == {"executor-worker", "gpu-worker"}
    for name in mounted:
        assert json.loads(SERVICES[name]["environment"]["YMIR_SLOTS"]).keys() <= {"executor", "gpu"}
        assert SERVICES[name]["group_add"] == ["${YMIR_DOCKER_GROUP:-999}"]
        assert SERVICES[name]["profiles"]


def test_every_named_volume_is_declared() -> None:
    volumes = [volume for service in SERVICES.values() for volume in service.get("volumes", ())]
    used = {volume.partition(":")[0] for volume in volumes if isinstance(volume, str) and volume[0] not in "./"}

    assert used == WHOLE["volumes"].keys()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("more", [[], ["--file", str(OTHER_S3)]])
def test_each_compose_reads_the_files(docker: Docker, tmp_path: Path, more: list[str]) -> None:
    for read in configured(docker, env_file(tmp_path), *more):
        assert read.returncode == 0, read.stderr
        assert set(yaml.safe_load(read.stdout)["services"]) >= SERVICES.keys() - {"executor-worker", "gpu-worker"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_compose_names_the_script_that_was_not_run(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / ".env").touch()

    for read in configured(docker, tmp_path / ".env"):
        assert read.returncode != 0
        assert "run deploy/env.sh first" in read.stderr


def configured(docker: Docker, settings: Path, *more: str) -> Iterator[subprocess.CompletedProcess[str]]:
    """Yield what each Compose makes of the files with some settings."""
    required("Compose", install="apt-get install docker-compose", found=bool(compose_commands()))
    options = ["--project-directory", str(ROOT), "--env-file", str(settings), "--file", str(FILE), *more]
    for command in compose_commands():
        whole = [*command, *options, "config"]
        yield subprocess.run(whole, env=docker.environment, check=False, capture_output=True, text=True)
