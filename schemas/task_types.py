"""The types of tasks: the union of all parameters, told apart by ``type``."""

from typing import Annotated, Final

from pydantic import Field

from schemas.algebra_parameters import (
    BranchParameters,
    ExcludeParameters,
    FilterParameters,
    FuseParameters,
    MergeParameters,
    RelabelParameters,
    ReplayParameters,
    RevertParameters,
    SampleParameters,
    SplitParameters,
)
from schemas.exchange_parameters import (
    CopyParameters,
    ExportParameters,
    ImportModelParameters,
    ImportParameters,
    LabelParameters,
    PullExecutorParameters,
)
from schemas.model_parameters import EvaluateParameters, InferParameters, MineParameters, TrainParameters
from schemas.service_parameters import DeliverParameters, ReceiveParameters

_Asked = (
    ImportParameters
    | MergeParameters
    | FilterParameters
    | SampleParameters
    | FuseParameters
    | SplitParameters
    | ExcludeParameters
    | RelabelParameters
    | ReplayParameters
    | BranchParameters
    | RevertParameters
    | CopyParameters
    | TrainParameters
    | MineParameters
    | InferParameters
    | LabelParameters
    | EvaluateParameters
    | ExportParameters
    | ImportModelParameters
    | PullExecutorParameters
)

AskedParameters = Annotated[_Asked, Field(discriminator="type")]
"""What can be asked for over HTTP."""

TaskParameters = Annotated[_Asked | DeliverParameters | ReceiveParameters, Field(discriminator="type")]
"""What tasks are kept with."""

OFFERED: Final = frozenset(
    {
        "import",
        "merge",
        "filter",
        "sample",
        "split",
        "exclude",
        "fuse",
        "relabel",
        "replay",
        "copy",
        "branch",
        "revert",
        "train",
        "mine",
        "infer",
        "label",
        "evaluate",
        "export",
        "import_model",
        "pull_executor",
    }
)
"""The types that the workers of this release handle when they are asked for."""

OWN: Final = frozenset({"deliver", "receive"})
"""The types that the service asks of itself."""
