"""Chapter 4 of YMIR's README: its commands as they are printed, from an empty folder.

Comments are removed, lists are quoted and the id of the model is filled in; tiny-detector stands for both images.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.client.mir.pictures import make_pictures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT: Final = Path(__file__).parent.parent.parent
EXECUTOR: Final = ROOT / "deploy" / "executors" / "tiny-detector"

PREPARE: Final = """
mkdir ~/mir-demo-repo && cd ~/mir-demo-repo
mir init
mkdir ~/ymir-assets ~/ymir-models
"""
IMPORT: Final = r"""
cd ~/mir-demo-repo
mir import --index-file /path/to/training/index.tsv \
    --annotation-dir /path/to/training/Annotations \
    --gen-dir ~/ymir-assets \
    --dataset-name 'dataset-training' \
    --dst-rev 'dataset-training@import'
mir checkout master
mir import --index-file /path/to/val/index.tsv \
    --annotation-dir /path/to/val/Annotations \
    --gen-dir ~/ymir-assets \
    --dataset-name 'dataset-val' \
    --dst-rev 'dataset-val@import'
mir checkout master
mir import --index-file /path/to/mining/index.tsv \
    --annotation-dir /path/to/mining/Annotations \
    --gen-dir ~/ymir-assets \
    --dataset-name 'dataset-mining' \
    --dst-rev 'dataset-mining@import'
"""
MERGE: Final = r"""
mir merge --src-revs "tr:dataset-training@import;va:dataset-val@import" \
    --dst-rev tr-va@merged \
    -s host
"""
FILTER: Final = r"""
mir filter --src-revs tr-va@merged \
    --dst-rev tr-va@filtered \
    -p 'person;cat'
"""
TRAIN: Final = r"""
mir train -w /tmp/ymir/training/train-0 \
    --media-location ~/ymir-assets \
    --model-location ~/ymir-models \
    --task-config-file ~/training-config.yaml \
    --src-revs tr-va@filtered \
    --dst-rev training-0@trained \
    --executor tiny-detector
"""
MINE: Final = r"""
mir mining --src-revs dataset-mining@import \
    --dst-rev mining-0@mining \
    -w /tmp/ymir/mining/mining-0 \
    --topk 10 \
    --model-location ~/ymir-models \
    --media-location ~/ymir-assets \
    --model-hash {model} \
    --cache /tmp/ymir/cache \
    --task-config-file ~/mining-config.yaml \
    --executor tiny-detector
"""
EXPORT: Final = r"""
mir export --asset-dir /tmp/ymir/export/export-0/assets \
    --annotation-dir /tmp/ymir/export/export-0/annotations \
    --media-location ~/ymir-assets \
    --src-revs mining-0@mining \
    --format none
find /tmp/ymir/export/export-0/assets > /tmp/ymir/export/export-0/index.tsv
"""
LABELED: Final = r"""
mir import --index-file /tmp/ymir/export/export-0/index.tsv \
    --annotation-dir /tmp/ymir/export/export-0/annotations \
    --gen-dir ~/ymir-assets \
    --dataset-name 'dataset-mining' \
    --dst-rev 'labeled-0@import'
mir merge --src-revs "tr-va@filtered;tr:labeled-0@import" \
    --dst-rev tr-va-1@merged \
    -s host
"""
TRAIN_AGAIN: Final = r"""
mir train -w /tmp/ymir/training/train-1 \
    --media-location ~/ymir-assets \
    --model-location ~/ymir-models \
    --task-config-file ~/training-config.yaml \
    --src-revs tr-va-1@merged \
    --dst-rev training-1@trained \
    --executor tiny-detector
"""


class Shell:
    """A shell of a user whose home, pictures and /tmp are folders of the test."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.pictures = folder / "pictures"
        self.scratch = folder / "ymir"
        programs = folder / "bin"
        for path in (self.home, programs):
            path.mkdir()
        (programs / "mir").write_text(f'#!/bin/sh\nexec {sys.executable} -m client.mir.main "$@"\n')
        (programs / "mir").chmod(0o755)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("YMIR_")},
            "HOME": str(self.home),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }

    def run(self, commands: str) -> str:
        """Run what is printed, and return what it prints; an error ends it."""
        script = commands.replace("/tmp/ymir", str(self.scratch)).replace("/path/to", str(self.pictures))  # noqa: S108 - as printed
        repository = self.home / "mir-demo-repo"
        done = subprocess.run(
            ["/bin/bash", "-euc", script],
            env=self._environment,
            cwd=repository if repository.exists() else self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def train(self, commands: str) -> str:
        """Train, and return the hash that is printed."""
        lines = [line for line in self.run(commands).splitlines() if line.startswith("model hash: ")]
        assert len(lines) == 1
        return lines[0].removeprefix("model hash: ")


def test_the_chapter_runs_as_it_is_printed(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    for name, count, seed in (("training", 24, 1), ("val", 12, 2), ("mining", 20, 3)):
        make_pictures(shell.pictures / name, count, seed=seed)
    shutil.copy(EXECUTOR / "img-man" / "mining-template.yaml", shell.home / "mining-config.yaml")
    config = (EXECUTOR / "img-man" / "training-template.yaml").read_text()
    (shell.home / "training-config.yaml").write_text(f"{config}\nclass_names: [person, cat]\n")

    shell.run(PREPARE)
    labels = shell.home / "mir-demo-repo" / "labels.csv"
    assert labels.read_text() == "# type_id, preserved, main type name, alias...\n"
    labels.write_text(labels.read_text() + "0,,person\n1,,cat\n2,,car\n3,,airplane,plane\n")

    shell.run(IMPORT)
    assert shell.run("mir branch").splitlines() == [
        "* dataset-mining",
        "  dataset-training",
        "  dataset-val",
        "  master",
    ]
    assert shell.run("mir show --src-rev dataset-mining").splitlines() == [
        "person;cat;car;airplane",
        "",
        "metadatas.mir: 20 assets, tr: 0, va: 0, te: 0, unknown: 20",
        "annotations.mir: hid: import, 20 assets",
        "tasks.mir: hid: import",
    ]

    shell.run(MERGE)
    assert shell.run("mir show --src-revs HEAD").splitlines() == [
        "person;cat;car;airplane",
        "",
        "metadatas.mir: 36 assets, tr: 24, va: 12, te: 0, unknown: 0",
        "annotations.mir: hid: merged, 36 assets",
        "tasks.mir: hid: merged",
    ]
    shell.run(FILTER)

    model = shell.train(TRAIN)
    assert (shell.home / "ymir-models" / model[-2:] / model).is_file()
    assert "ymir-info.yaml" in shell.run(f"tar -tf ~/ymir-models/{model}")

    shell.run(MINE.format(model=model))
    shell.run(EXPORT)
    exported = sorted((shell.scratch / "export" / "export-0" / "assets").glob("*.jpg"))
    assert len(exported) == 10
    assert not list((shell.scratch / "export" / "export-0" / "annotations").iterdir())

    for picture in exported:  # the annotators at work
        labeled = shell.pictures / "mining" / "Annotations" / f"{picture.stem}.xml"
        shutil.copy(labeled, shell.scratch / "export" / "export-0" / "annotations")
    shell.run(LABELED)
    assert shell.train(TRAIN_AGAIN) != model

    everything = 24 + 12 + 20
    assert len([path for path in (shell.home / "ymir-assets").rglob("*") if len(path.name) == 64]) == everything
    monitored = (shell.scratch / "training" / "train-1" / "out" / "monitor.txt").read_text().split("\t")
    assert [monitored[0], *monitored[2:]] == ["trained", "1.00", "3", "0\n"]
