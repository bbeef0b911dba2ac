"""Splits: the use of an asset in a version."""

from enum import StrEnum


class Split(StrEnum):
    """What an asset of a version is for."""

    TRAINING = "training"
    VALIDATION = "validation"
    TEST = "test"
    NONE = "none"
