"""The images that this project builds: what is in them, and that they run."""

import shutil
from pathlib import Path

import pytest

from tests.deploy.docker_client import ROOT, Docker
from tests.executors.contract_run import Ended, run
from tests.executors.test_tiny_detector import Pictures

DETECTOR = "ymir-test-tiny-detector:local"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_our_image_is_a_users_and_says_what_it_is(docker: Docker, image: str) -> None:
    assert docker.inspected(image, ".Config.User") == "10001:10001"
    assert docker.inspected(image, ".Config.StopSignal") == "SIGTERM"
    assert docker.inspected(image, '(index .Config.Labels "org.opencontainers.image.licenses")') == "Apache-2.0"
    assert docker.inspected(image, '(index .Config.Labels "org.opencontainers.image.revision")') == "of-a-test"


@pytest.mark.parametrize("process", ["gateway", "workers"])
def test_a_process_without_settings_says_which_it_needs(docker: Docker, image: str, process: str) -> None:
    with pytest.raises(AssertionError, match="YMIR_MONGO_URL"):
        docker("run", "--rm", "--network=none", image, "python", "-m", process)


def test_our_image_has_no_tools_of_development(docker: Docker, image: str) -> None:
    script = (
        "import importlib.util as u; print([name for name in ('pip', 'pytest', 'mypy', 'tests') if u.find_spec(name)])"
    )

    assert docker("run", "--rm", "--network=none", image, "python", "-c", script).strip() == "[]"


def test_the_reference_executor_trains_as_a_container(docker: Docker, tmp_path: Path) -> None:
    build = ["--network=none", f"--build-arg=BASE={docker.base}", "--build-arg=INSTALL=", f"--tag={DETECTOR}"]
    docker("build", *build, str(ROOT / "deploy" / "executors" / "tiny-detector"))
    pictures = Pictures(tmp_path, count=9).lines()
    as_process = run(tmp_path, "training", training=pictures, validation=pictures)
    ended = as_process.monitor[2:4]
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").mkdir(mode=0o777)

    files = [f"--env=DEFAULT_{kind.upper()}_FILE_PATH={tmp_path}/in/{kind}.yaml" for kind in ("env", "config")]
    docker("run", "--rm", "--network=none", "--cap-drop=ALL", f"--volume={tmp_path}:{tmp_path}", *files, DETECTOR)

    as_container = Ended(tmp_path / "out", 0, "")
    assert as_process.status == 0
    assert as_container.monitor[2:4] == ended
    assert as_container.model.stat().st_size > 0
