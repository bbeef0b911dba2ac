"""The paths of older protocols, beside those of 1.1.0: an image of any age finds its input where it looks for it."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from schemas.executors import Protocol
from workers.executors.layout import CANDIDATE_INDEX, MODELS, TRAINING_INDEX, VALIDATION_INDEX, Layout, RunFolder
from workers.executors.scratch import scratch_errors

# YMIR 0.2 to 0.4 had a folder for each set.
OLD_INDEXES: Final = {
    TRAINING_INDEX: "train/index.tsv",
    VALIDATION_INDEX: "val/index.tsv",
    CANDIDATE_INDEX: "candidate/index.tsv",
}


def has_stages(protocol: Protocol | None) -> bool:
    """Return whether a layout has a folder for each stage of a model: that of 1.1.0, and where nothing is asked for."""
    return protocol in {None, Protocol.V1_1}


def model_paths(models: Sequence[str], *, protocol: Protocol | None, layout: Layout) -> tuple[str, ...]:
    """Return the paths of a model's files as an executor of some protocol has to be told them."""
    if has_stages(protocol):
        return tuple(models)
    return tuple(f"{layout.root_in}/{MODELS}/{PurePosixPath(path).name}" for path in models)


def add_older_paths(folder: RunFolder, *, protocol: Protocol | None) -> None:
    """Link the input that is written to where older layouts have it, unless the executor asks for 1.1.0.

    Of several files of one name, in folders of a stage, the first by path has it.
    """
    if protocol is Protocol.V1_1:
        return
    given = folder.given
    links = {given / old: given / new for new, old in OLD_INDEXES.items() if (given / new).is_file()}
    for file in sorted((given / MODELS).rglob("*")):
        if file.is_file():
            links.setdefault(given / MODELS / file.name, file)
    with scratch_errors():
        for link, file in links.items():
            _link(file, link)


def _link(file: Path, link: Path) -> None:
    link.parent.mkdir(exist_ok=True)
    if link.exists():
        return
    try:
        os.link(file, link)
    except OSError:  # a file system without links
        shutil.copyfile(file, link)
