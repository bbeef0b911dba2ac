"""What the work runs on: a GPU or the processor, how many threads, and which precision."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from torch_detector.errors import ConfigError, DriverError, NoGpuError
from torch_detector.settings import LoadingSettings


def chosen_device(config: Mapping[str, Any], settings: LoadingSettings) -> torch.device:
    """Return the first GPU that config.yaml names, or the processor if it names none; the same result every time.

    Raises NoGpuError or DriverError where the GPU asked for cannot be used.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    named = _gpus(config)
    if not named:
        return torch.device("cpu")
    _check(named)
    if len(named) > 1:
        print(f"{len(named)} GPUs are given; only the first is used", flush=True)
    device = torch.device("cuda", named[0])
    print(f"running on {torch.cuda.get_device_name(device)}", flush=True)
    return device


def precision(device: torch.device, *, mixed: bool) -> torch.dtype:
    """Return what the network computes in: half the bits on a GPU where that is wanted, bfloat16 where it can."""
    if device.type != "cuda" or not mixed:
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def computing_in(kind: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which the network computes in this precision."""
    if kind is torch.float32:
        return nullcontext()
    context: AbstractContextManager[object] = torch.autocast(device.type, dtype=kind)
    return context


def _gpus(config: Mapping[str, Any]) -> list[int]:
    text = config.get("gpu_id")
    numbers = [part.strip() for part in str("" if text is None else text).split(",") if part.strip()]
    if not all(number.isdecimal() for number in numbers):
        raise ConfigError(f"config.yaml: gpu_id is {text!r}; it must be numbers with commas between, or empty")
    return [int(number) for number in numbers]


def _check(named: list[int]) -> None:
    if torch.version.cuda is None and torch.version.hip is None:
        raise NoGpuError("gpu_id names a GPU, and this build of PyTorch is for the processor only")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        able = torch.cuda.is_available()
    if not able and any("driver" in str(warning.message) for warning in told):
        raise DriverError(f"PyTorch's CUDA {torch.version.cuda} does not fit the driver: {told[0].message}")
    if not able or max(named) >= torch.cuda.device_count():
        count = torch.cuda.device_count() if able else 0
        raise NoGpuError(f"gpu_id names GPU {max(named)}, counted from 0, and there are {count}")
