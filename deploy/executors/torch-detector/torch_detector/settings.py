"""What a user may set in config.yaml; the templates in img-man list the same keys with the same defaults."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from torch_detector.errors import ConfigError

ALGORITHMS = ("entropy", "random")
FORMATS = {"voc:raw": "voc", "det-voc:raw": "voc", "ark:raw": "ark", "det-ark:raw": "ark"}
STRIDES = (4, 8)
WIDTH_STEP = 8
YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class NetworkSettings:
    """How large the network is; a pretrained model brings its own."""

    image_size: int = 512
    finest_stride: int = 8
    width: int = 24
    depth: int = 1

    def __post_init__(self) -> None:
        _within("image_size", self.image_size, 32, 4096)
        _known("finest_stride", self.finest_stride, STRIDES)
        _within("width", self.width, WIDTH_STEP, 256)
        if self.width % WIDTH_STEP:
            raise ConfigError(f"config.yaml: width is {self.width}; it must be a multiple of {WIDTH_STEP}")
        _within("depth", self.depth, 1, 8)


@dataclass(frozen=True)
class TrainingSettings:
    """What is learnt from, how long, and how hard."""

    export_format: str = "voc:raw"
    seed: int = 0
    epochs: int = 100
    learning_rate: float = 0.002
    weight_decay: float = 0.05
    warmup_epochs: float = 2.0
    clip_norm: float = 10.0
    ema_decay: float = 0.998
    amp: bool = True
    balance: bool = True
    flip: float = 0.5
    scale_jitter: float = 0.4
    colour_jitter: float = 0.3
    evaluate_every: int = 5
    keep_every: int = 0
    patience: int = 0
    resume: bool = False

    def __post_init__(self) -> None:
        _known("export_format", self.export_format, FORMATS)
        _within("seed", self.seed, 0, 2**63 - 1)
        _within("epochs", self.epochs, 1, 100_000)
        _within("learning_rate", self.learning_rate, 1e-9, 1e9)
        _within("weight_decay", self.weight_decay, 0, 10)
        _within("warmup_epochs", self.warmup_epochs, 0, 1000)
        _within("clip_norm", self.clip_norm, 1e-6, 1e9)
        _within("ema_decay", self.ema_decay, 0, 0.999999)
        _within("flip", self.flip, 0, 1)
        _within("scale_jitter", self.scale_jitter, 0, 2)
        _within("colour_jitter", self.colour_jitter, 0, 0.9)
        _within("evaluate_every", self.evaluate_every, 1, 100_000)
        _within("keep_every", self.keep_every, 0, 100_000)
        _within("patience", self.patience, 0, 100_000)


@dataclass(frozen=True)
class LoadingSettings:
    """How much of the machine is used at a time."""

    batch_size: int = 8
    workers: int = 2
    threads: int = 0

    def __post_init__(self) -> None:
        _within("batch_size", self.batch_size, 1, 4096)
        _within("workers", self.workers, 0, 256)
        _within("threads", self.threads, 0, 1024)


@dataclass(frozen=True)
class DetectionSettings:
    """How what the network says of each place becomes boxes, in training, mining and inference alike."""

    conf_threshold: float = 0.05
    nms_iou: float = 0.5
    max_boxes: int = 100

    def __post_init__(self) -> None:
        _within("conf_threshold", self.conf_threshold, 0, 1)
        _within("nms_iou", self.nms_iou, 0, 1)
        _within("max_boxes", self.max_boxes, 1, 1000)


@dataclass(frozen=True)
class MiningSettings:
    """How candidates are ranked."""

    mining_algorithm: str = "entropy"
    seed: int = 0

    def __post_init__(self) -> None:
        _known("mining_algorithm", self.mining_algorithm, ALGORITHMS)
        _within("seed", self.seed, 0, 2**63 - 1)


Settings = TypeVar("Settings", NetworkSettings, TrainingSettings, LoadingSettings, DetectionSettings, MiningSettings)


def chosen(kind: type[Settings], config: Mapping[str, Any]) -> Settings:
    """Return the settings of a kind that config.yaml sets, defaults for the others; raise ConfigError."""
    given: dict[str, Any] = {
        item.name: config[item.name] for item in fields(kind) if config.get(item.name) not in (None, "")
    }
    defaults = kind()
    return kind(**{name: _converted(name, value, type(getattr(defaults, name))) for name, value in given.items()})


def _converted(name: str, value: object, kind: type) -> Any:  # noqa: ANN401 - one of the types of a setting
    try:
        # A form may send numbers and truth as text; "3.0" is a whole number too, 3.5 is not.
        if kind is bool:
            return _truth(str(value).lower())
        text = str(value).removesuffix(".0") if kind is int else value
        return kind(text)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"config.yaml: {name} must be of type {kind.__name__}, not {value!r}") from error


def _truth(text: str) -> bool:
    if text not in (*YES, *NO):
        raise ValueError(text)
    return text in YES


def _known(name: str, value: object, choices: Collection[object]) -> None:
    if value not in choices:
        raise ConfigError(f"config.yaml: {name} is {value!r}; known: {', '.join(map(str, choices))}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"config.yaml: {name} is {value}; it must lie between {low} and {high}")
