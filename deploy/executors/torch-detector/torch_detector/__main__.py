"""Run what env.yaml asks for: training, or mining and inference; the exit status says whether all went well."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from torch_detector.contract import Environment, presumed_monitor_file, read_config, read_environment
from torch_detector.errors import ConfigError, ExecutorError, MemoryShortError
from torch_detector.monitor import Monitor

OUT_OF_MEMORY = "out of memory: lower batch_size, image_size, width or workers, or raise shm_size"
# What PyTorch says of the memory of a GPU, of the machine, and of the processes that read images.
SAID_OF_MEMORY = (
    *("out of memory", "can't allocate memory", "not enough memory", "shared memory"),
    *("signal: Killed", "signal: Bus error"),
)


def main() -> int:
    """Return the exit status; whatever goes wrong is in monitor.txt and on the error stream."""
    monitor = Monitor(presumed_monitor_file(), task_id="")
    try:
        environment = read_environment()
        monitor = Monitor(environment.monitor_file, task_id=environment.task_id)
        monitor.running(0)
        run(environment, read_config(environment.config_file), monitor)
        monitor.done()
    except ExecutorError as error:
        return _failed(monitor, error.code, str(error))
    except MemoryError:
        return _failed(monitor, MemoryShortError.code, OUT_OF_MEMORY)
    except Exception as error:
        if any(words in str(error) for words in SAID_OF_MEMORY):
            return _failed(monitor, MemoryShortError.code, f"{OUT_OF_MEMORY} ({error})")
        _failed(monitor, ExecutorError.code, f"{type(error).__name__}: {error}")
        raise
    return 0


def run(environment: Environment, config: Mapping[str, Any], monitor: Monitor) -> None:
    """Do all that is asked for; raise ExecutorError."""
    if not (environment.run_training or environment.run_mining or environment.run_infer):
        raise ConfigError("env.yaml asks for nothing: set run_training, run_mining or run_infer")
    # Imported where needed: a run pays only for what it uses.
    if environment.run_training:
        from torch_detector.train import train  # noqa: PLC0415 - as above

        train(environment, config, monitor)
    if environment.run_mining or environment.run_infer:
        from torch_detector.candidates import examine  # noqa: PLC0415 - as above

        examine(environment, config, monitor)


def _failed(monitor: Monitor, code: int, message: str) -> int:
    print(f"error {code}: {message}", file=sys.stderr, flush=True)
    monitor.failed(code, message)
    return 1


if __name__ == "__main__":
    sys.exit(main())
