"""Where the files of one run lie: as the executor sees them, and as we do."""

from pathlib import Path
from typing import Final, NamedTuple

MODELS: Final = "models"
ASSETS: Final = "assets"
ANNOTATIONS: Final = "annotations"
TENSORBOARD: Final = "tensorboard"

TRAINING_INDEX: Final = "train-index.tsv"
VALIDATION_INDEX: Final = "val-index.tsv"
CANDIDATE_INDEX: Final = "candidate-index.tsv"
ENVIRONMENT: Final = "env.yaml"
CONFIGURATION: Final = "config.yaml"

MONITOR: Final = "monitor.txt"
LOG: Final = "ymir-executor-out.log"
TRAINING_RESULT: Final = "models/result.yaml"
MINING_RESULT: Final = "result.tsv"
INFER_RESULT: Final = "infer-result.json"
EMBEDDINGS: Final = "embeddings.npy"


class Layout(NamedTuple):
    """The folders as the executor sees them; those of a container unless told otherwise."""

    root_in: str = "/in"
    root_out: str = "/out"
    manual: str = "/img-man"


class RunFolder(NamedTuple):
    """The folder of one attempt, as the worker sees it."""

    root: Path

    @property
    def given(self) -> Path:
        """The folder of the input."""
        return self.root / "in"

    @property
    def made(self) -> Path:
        """The folder of the output."""
        return self.root / "out"

    def prepare(self) -> None:
        """Make the empty folders of a run."""
        for folder in (ASSETS, ANNOTATIONS, MODELS):
            (self.given / folder).mkdir(parents=True, exist_ok=True)
        for folder in (MODELS, TENSORBOARD):
            (self.made / folder).mkdir(parents=True, exist_ok=True)
