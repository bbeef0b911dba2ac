"""One row, or the preparation of its data, in a process of its own: ``python -m tests.bench.one``."""

import asyncio
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from tests.bench.row import Measured, Size


def main(function: str, folder: str, size: str, answer: str) -> None:
    """Call ``module.function`` below tests.bench and write what it measured into a file, as JSON."""
    module, _, name = function.rpartition(".")
    call: Any = getattr(import_module(f"tests.bench.{module}"), name)
    measured: Measured | None = asyncio.run(call(Path(folder), Size(**orjson.loads(size))))
    Path(answer).write_bytes(orjson.dumps(None if measured is None else asdict(measured)))


if __name__ == "__main__":
    main(*sys.argv[1:])
