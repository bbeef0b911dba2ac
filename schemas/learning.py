"""Learning curves: how a figure of models grew with their labels, and whether another round is worth it."""

from enum import StrEnum

from pydantic import NonNegativeInt

from schemas.schema import Id, Schema


class Estimate(Schema):
    """A value that is expected, and the interval in which nine in ten of what is likely lie."""

    value: float
    low: float
    high: float


class Advice(StrEnum):
    """Whether another round of labels is worth it."""

    LABEL_MORE = "label_more"
    """At least nineteen in twenty of what is likely gain enough."""
    UNCLEAR = "unclear"
    STOP = "stop"
    """At most one in twenty does."""


class LearningPoint(Schema):
    """One model of the line."""

    model: Id
    stage: str
    images: NonNegativeInt
    """How many images it was trained on."""
    value: float


class LearningCurve(Schema):
    """What was measured, and what another round is expected to add."""

    name: str
    metric: str
    points: tuple[LearningPoint, ...]
    images: NonNegativeInt
    """How many images the model with most was trained on."""
    next: NonNegativeInt
    """How many more are asked about."""
    now: Estimate
    after: Estimate
    gain: Estimate
    limit: Estimate
    """What any number of labels would reach."""
    advice: Advice
