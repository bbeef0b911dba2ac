"""Images as executors, on a real engine: read, registered by the task pull_executor, and verified."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest.mock import patch

import pytest

from client.verifying import Wanted, verified
from schemas.annotations import ObjectType
from schemas.conformance import Verdict
from schemas.errors import Conflict, Invalid, Unavailable
from schemas.exchange_parameters import PullExecutorParameters
from schemas.executors import Executor, ExecutorSubmission, Protocol, Purpose, Runtime
from storage.sqlite import open_database
from tests.deploy.docker_client import ROOT, Docker
from tests.factories import NOON, a_task
from workers.executors.engine import Engine
from workers.executors.image_manual import inspect_image
from workers.executors.images import Images
from workers.handlers.pull_executor import pull_executor
from workers.records import keep, reserve
from workers.work import Work

SAMPLE = "ymir-test-sample:1"
WANTED = Wanted(
    purposes=frozenset(Purpose),
    config={},
    models=(),
    object_type=None,
    gpus=0,
    seconds=60,
    is_quick=True,
    protocol=None,
    keep=None,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def docker(docker_settings: Mapping[str, str]) -> Docker:
    docker = Docker(docker_settings)
    given = [f"--build-arg=BASE={docker.base}", "--build-arg=INSTALL=", f"--tag={SAMPLE}"]
    docker("build", "--network=none", *given, str(ROOT / "deploy" / "executors" / "sample-executor"))
    return docker


@pytest.fixture
def images(docker: Docker) -> Iterator[Images]:
    with patch.dict(os.environ, docker.environment):
        engine = Engine()
        yield Images(engine)
        engine.close()


def built(docker: Docker, folder: Path, *lines: str) -> str:
    """Build an image of some lines after that of the sample, and return its name."""
    (folder / "Dockerfile").write_text("\n".join([f"FROM {docker.base}", *lines, ""]))
    name = f"ymir-test-{folder.name.replace('_', '-')}:1"
    docker("build", "--network=none", f"--tag={name}", str(folder))
    return name


def submission(reference: str) -> ExecutorSubmission:
    return ExecutorSubmission(name="sample", runtime=Runtime.DOCKER, reference=reference)


async def test_an_image_is_read_without_being_run(images: Images) -> None:
    executor = await inspect_image(submission(SAMPLE), images=images, at=NOON)

    assert set(executor.templates) == set(Purpose)
    assert executor.templates[Purpose.TRAINING]["expected_map"] == 0.983
    assert (executor.protocol, executor.read_only_root) == (Protocol.V1_1, True)
    assert executor.digest == (await images.find_or_pull(SAMPLE)).digest


async def test_a_label_may_hold_the_manifest(docker: Docker, images: Images, tmp_path: Path) -> None:
    (tmp_path / "infer-template.yaml").write_text("confidence: 0.5\n")
    name = built(
        docker,
        tmp_path,
        "COPY infer-template.yaml /img-man/instance-seg/infer-template.yaml",
        "LABEL ymir.manifest='{object_type: [4], enable_livecode: true}'",
        'CMD ["bash", "/usr/bin/start.sh"]',
    )

    executor = await inspect_image(submission(name), images=images, at=NOON)

    assert executor.object_types == (ObjectType.INSTANCE_SEGMENTATION,)
    assert executor.templates_for(ObjectType.INSTANCE_SEGMENTATION) == {Purpose.INFER: {"confidence": 0.5}}
    assert executor.is_livecode


async def test_an_image_without_templates_is_no_executor(docker: Docker, images: Images) -> None:
    with pytest.raises(Invalid, match="130401"):
        await inspect_image(submission(docker.base), images=images, at=NOON)


async def test_a_pulled_executor_is_registered_once_and_read_anew_by_the_next_pull(
    images: Images, tmp_path: Path
) -> None:
    parameters = PullExecutorParameters(name="sample", reference=SAMPLE)
    async with open_database(tmp_path / "ymir.db") as database:
        executors = database.documents(Executor)
        for turn in range(2):
            work = Work(a_task(parameters=parameters), parameters, scratch=tmp_path, now=lambda: NOON)
            outcome = await pull_executor(work, images=images, is_alone=False)
            for _ in range(2):  # as after a worker that died between
                await reserve(work.task, outcome, database)
                kept = await keep(work.task, outcome, database, at=NOON)
            assert kept.outcome.result.executor == "sample"
            (executor,) = (await executors.list()).items
            if turn == 0:
                await executors.replace(executor.successor(templates={}), was=executor)
        assert set(executor.templates) == set(Purpose)

        other = executor.model_copy(update={"reference": "another:1", "id": "f" * 32})
        with pytest.raises(Conflict):
            await executors.add(other)
        record = outcome.records[0].model_copy(update={"executor": other})
        with pytest.raises(Invalid, match="is taken by"):
            await reserve(work.task, outcome.model_copy(update={"records": (record,)}), database)


async def test_a_pull_waits_for_a_worker_with_an_engine_only_where_there_may_be_one(tmp_path: Path) -> None:
    parameters = PullExecutorParameters(name="sample", reference=SAMPLE)
    work = Work(a_task(parameters=parameters), parameters, scratch=tmp_path, now=lambda: NOON)

    with pytest.raises(Unavailable, match="no Docker engine"):
        await pull_executor(work, images=None, is_alone=False)
    with pytest.raises(Invalid, match="no Docker engine"):
        await pull_executor(work, images=None, is_alone=True)


async def test_an_image_goes_through_the_conformance_kit(docker: Docker) -> None:
    with patch.dict(os.environ, docker.environment):
        found = await verified(SAMPLE, WANTED._replace(is_quick=False), tell=lambda _: None)

    broken = [(one.purpose, one.rule, one.details) for one in found.verdicts if one.verdict is Verdict.BROKEN]
    assert broken == []
    assert found.runtime is Runtime.DOCKER
    assert docker("ps", "--all", "--quiet") == ""


async def test_an_image_that_cannot_be_registered_gets_a_verdict(docker: Docker) -> None:
    with patch.dict(os.environ, docker.environment):
        found = await verified(docker.base, WANTED, tell=lambda _: None)

    assert {one.rule for one in found.verdicts if one.verdict is Verdict.BROKEN} >= {"templates", "registers"}
