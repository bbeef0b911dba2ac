"""``mir`` with images: one of today, and one as YMIR's first releases had them, on a real engine."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest.mock import patch

import pytest

from client.mir.main import main
from tests.client.mir.pictures import make_pictures
from tests.deploy.docker_client import ROOT, Docker

SAMPLE = "ymir-test-sample:1"
OLD = "ymir-test-old:1"
# It reads no env.yaml and knows fixed paths only; its results are those of YMIR 0.2.
OLD_PROGRAM = """\
import pathlib, sys, time, yaml
given, out = pathlib.Path('/in'), pathlib.Path('/out')
config = yaml.safe_load(open(given / 'config.yaml'))
def tell(share, word):
    now = int(time.time() * 1000)
    (out / 'monitor.txt').write_text(f"{config['task_id']}\\t{now}\\t{share}\\t{word}\\n")
lines = lambda name: (given / name / 'index.tsv').read_text().splitlines()
tell(0.1, 'running')
if (given / 'train').is_dir():
    image, annotations = lines('train')[0].split('\\t')
    pathlib.Path(image).read_bytes(), lines('val')
    (out / 'models' / 'a.params').write_bytes(b'weights')
    yaml.safe_dump({'map': 0.75, 'model': ['a.params']}, open(out / 'models' / 'result.yaml', 'w'))
else:
    assert (given / 'models' / 'a.params').read_bytes() == b'weights'
    ranked = lines('candidate')
    (out / 'result.tsv').write_text(''.join(f'{image}\\t{-place}\\n' for place, image in enumerate(ranked)))
tell(1.0, 'done')
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Mir = Callable[..., str]


@pytest.fixture(scope="module")
def docker(docker_settings: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Docker:
    docker = Docker(docker_settings)
    given = [f"--build-arg=BASE={docker.base}", "--build-arg=INSTALL=", f"--tag={SAMPLE}"]
    docker("build", "--network=none", *given, str(ROOT / "deploy" / "executors" / "sample-executor"))
    folder = tmp_path_factory.mktemp("old")
    (folder / "old.py").write_text(OLD_PROGRAM)
    for purpose in ("training", "mining"):
        (folder / f"{purpose}-template.yaml").write_text("batch: 4\n")
    lines = ["COPY *-template.yaml /img-man/", "COPY old.py /old.py", 'CMD ["python3", "/old.py"]']
    (folder / "Dockerfile").write_text("\n".join([f"FROM {docker.base}", *lines, ""]))
    docker("build", "--network=none", f"--tag={OLD}", str(folder))
    return docker


@pytest.fixture
def mir(docker: Docker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Mir]:
    def mir(*words: str | Path) -> str:
        status = main([*map(str, words), "--root", str(tmp_path / "repository")])
        said = capsys.readouterr()
        assert status == 0, said.err
        return said.out + said.err

    with patch.dict(os.environ, docker.environment):
        mir("init")
        (tmp_path / "assets").mkdir()
        for seed, name in enumerate(("training", "val")):
            pictures = make_pictures(tmp_path / name, 6, seed=seed)
            source = ("--index-file", pictures / "index.tsv", "--annotation-dir", pictures / "Annotations")
            added = ("--gen-dir", tmp_path / "assets", "--unknown-types-strategy", "add")
            mir("import", *source, *added, "--dst-rev", f"{name}@import")
        yield mir


@pytest.mark.parametrize("image", [SAMPLE, OLD])
def test_an_image_trains_and_mines(mir: Mir, docker: Docker, tmp_path: Path, image: str) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps({"class_names": ["cat"]}))
    given = ("--task-config-file", tmp_path / "config.yaml", "--executor", image, "--model-location", tmp_path)

    trained = mir("train", "--src-revs", "tr:training;va:val", *given, "--dst-rev", "model@t", "-w", tmp_path / "w0")
    model = next(line for line in trained.splitlines() if line.startswith("model hash: ")).partition(": ")[2]
    mined = mir(
        *("mining", "--src-revs", "val", *given, "--dst-rev", "mined@m", "-w", tmp_path / "w1"),
        *("--model-hash", model, "--topk", "2"),
    )

    assert f"registered {image}" in trained
    assert "picks: 2" in mined
    assert docker("ps", "--all", "--quiet") == ""
