"""Images: found, and read without being run."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from schemas.errors import Invalid
from tests.deploy.docker_client import Docker
from tests.servers.executor_images import built
from workers.executors.engine import Engine
from workers.executors.images import Images, repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


async def test_files_are_read_through_links_and_folders_and_what_is_missing_is_left_out(
    engine: Engine, image: str
) -> None:
    images = Images(engine)
    found = await images.find_or_pull(image)
    wanted = ["/img-man/mining-template.yaml", "/img-man/training-template.yaml", "/img-man/none", "/etc/ld.so.conf.d"]

    files = await images.read_files(found, wanted)

    assert files["/img-man/mining-template.yaml"] == files["/img-man/training-template.yaml"] == b"epochs: 1\n"
    assert "/img-man/none" not in files
    assert "/etc/ld.so.conf.d/libc.conf" in files


async def test_a_file_that_is_too_large_is_told(engine: Engine, image: str) -> None:
    images = Images(engine)

    with pytest.raises(Invalid, match="/img-man/large of the image has more than"):
        await images.read_files(await images.find_or_pull(image), ["/img-man/large"])


async def test_what_was_registered_runs_though_its_name_means_another_by_now(
    engine: Engine, docker_settings: Mapping[str, str], image: str, tmp_path: Path
) -> None:
    images = Images(engine)
    registered = await images.find_or_pull(image)
    (tmp_path / "Dockerfile").write_text('ARG BASE\nFROM ${BASE}\nCMD ["other"]\n')
    other = built(Docker(docker_settings), tmp_path, "ymir-test-moved:local")

    found = await images.find_or_pull(other, pinned=registered.digest)

    assert found.id == registered.id
    assert (await images.find_or_pull(other)).command == ("other",)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("detector", "detector"),
        ("detector:1", "detector"),
        ("host:5000/team/detector:1", "host:5000/team/detector"),
        ("host:5000/team/detector", "host:5000/team/detector"),
        ("team/detector@sha256:" + "0" * 64, "team/detector"),
        ("team/detector:1@sha256:" + "0" * 64, "team/detector"),
    ],
)
def test_a_repository_is_a_reference_without_tag_and_digest(reference: str, name: str) -> None:
    assert repository(reference) == name
