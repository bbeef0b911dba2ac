"""Iterations: one round of a project's loop."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from schemas.schema import Document, Id, Instant


class IterationStep(StrEnum):
    """The steps of a round, in their order."""

    PREPARE_MINING = "prepare_mining"
    MINE = "mine"
    LABEL = "label"
    PREPARE_TRAINING = "prepare_training"
    TRAIN = "train"
    END = "end"


class Iteration(Document):
    """One round: prepare mining, mine, label, prepare training, train; with the task of each step so far."""

    KIND: ClassVar[str] = "iteration"
    INDEXED: ClassVar[tuple[str, ...]] = ("project", "round", "created_at")
    UNIQUE: ClassVar[tuple[tuple[str, ...], ...]] = (("project", "round"),)

    id: Id
    project: Id
    round: int = Field(ge=1)
    step: IterationStep = IterationStep.PREPARE_MINING
    tasks: dict[IterationStep, Id] = {}
    created_at: Instant
