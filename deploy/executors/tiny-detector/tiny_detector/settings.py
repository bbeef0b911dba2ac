"""What a user may set in config.yaml; the templates in img-man list the same keys with the same defaults."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from tiny_detector.errors import ConfigError

ALGORITHMS = ("two_stage", "entropy", "random")
FORMATS = {"voc:raw": "voc", "det-voc:raw": "voc", "ark:raw": "ark", "det-ark:raw": "ark"}


@dataclass(frozen=True)
class TrainingSettings:
    """What is learnt from, and how hard."""

    export_format: str = "voc:raw"
    seed: int = 0
    image_size: int = 384
    max_scales: int = 7
    positive_iou: float = 0.7
    negatives_per_image: int = 40
    hard_negative_rounds: int = 2
    penalty_inverse: float = 0.3
    iterations: int = 60
    cache_mb: int = 512

    def __post_init__(self) -> None:
        _known("export_format", self.export_format, FORMATS)
        _within("seed", self.seed, 0, 2**63)
        _within("image_size", self.image_size, 32, 1024)
        _within("max_scales", self.max_scales, 1, 32)
        _within("positive_iou", self.positive_iou, 0.4, 1)
        _within("negatives_per_image", self.negatives_per_image, 1, 10_000)
        _within("hard_negative_rounds", self.hard_negative_rounds, 1, 10)
        _within("penalty_inverse", self.penalty_inverse, 1e-6, 1e6)
        _within("iterations", self.iterations, 1, 10_000)
        _within("cache_mb", self.cache_mb, 0, 1_000_000)


@dataclass(frozen=True)
class DetectionSettings:
    """How candidate windows become detections, the same when training measures mAP, mining and inferring."""

    min_objectness: float = 0.05
    nms_iou: float = 0.35
    max_boxes: int = 20
    min_score: float = 0.02

    def __post_init__(self) -> None:
        _within("min_objectness", self.min_objectness, 0, 1)
        _within("nms_iou", self.nms_iou, 0, 1)
        _within("max_boxes", self.max_boxes, 1, 1000)
        _within("min_score", self.min_score, 0, 1)


@dataclass(frozen=True)
class MiningSettings:
    """How candidates are ranked."""

    mining_algorithm: str = "two_stage"
    seed: int = 0
    shortlist: int = 150
    duplicate_bits: int = 50

    def __post_init__(self) -> None:
        _known("mining_algorithm", self.mining_algorithm, ALGORITHMS)
        _within("seed", self.seed, 0, 2**63)
        _within("shortlist", self.shortlist, 1, 2000)
        _within("duplicate_bits", self.duplicate_bits, 0, 256)


Settings = TypeVar("Settings", TrainingSettings, DetectionSettings, MiningSettings)


def chosen(kind: type[Settings], config: Mapping[str, Any]) -> Settings:
    """Return the settings of a kind that config.yaml sets, defaults for the others; raise ConfigError."""
    given: dict[str, Any] = {
        item.name: config[item.name] for item in fields(kind) if config.get(item.name) not in (None, "")
    }
    defaults = kind()
    return kind(**{name: _converted(name, value, type(getattr(defaults, name))) for name, value in given.items()})


def _converted(name: str, value: object, kind: type) -> Any:  # noqa: ANN401 - one of the types of a setting
    try:
        # A form may send numbers as text; "3.0" is a whole number too, 3.5 is not.
        text = str(value).removesuffix(".0") if kind is int else value
        return kind(text)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"config.yaml: {name} must be of type {kind.__name__}, not {value!r}") from error


def _known(name: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise ConfigError(f"config.yaml: {name} is {value!r}; known: {', '.join(choices)}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"config.yaml: {name} is {value}; it must lie between {low} and {high}")
