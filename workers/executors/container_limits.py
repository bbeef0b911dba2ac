"""What a container writes, measured against what it may."""

import asyncio
import time
from contextlib import suppress
from typing import Final

from schemas.errors import Unavailable
from workers.executors.docker_settings import DockerSettings
from workers.executors.engine import Engine
from workers.executors.process_table import bytes_under
from workers.executors.runtime import Cause, Order

LAYER_LOOK_SECONDS: Final = 10.0
# A look that takes long is made seldom.
PAUSE_FACTOR: Final = 4.0


async def over_a_limit(engine: Engine, container: str, order: Order, *, settings: DockerSettings) -> Cause:
    """Return when a container has written more than it may, under ``/out`` or elsewhere."""
    limits = order.executor.limits
    output_bytes = limits.output_bytes or settings.output_bytes
    layer_bytes = limits.layer_bytes or settings.layer_bytes
    layer_at = time.monotonic()
    while True:
        began_at = time.monotonic()
        if await asyncio.to_thread(bytes_under, str(order.folder.made)) > output_bytes:
            return Cause.OUTPUT_BYTES
        if began_at >= layer_at:
            with suppress(Unavailable):
                if await engine.call(_layer_bytes, engine, container) > layer_bytes:
                    return Cause.OUTPUT_BYTES
            took = time.monotonic() - began_at
            layer_at = time.monotonic() + max(LAYER_LOOK_SECONDS, PAUSE_FACTOR * took)
        await asyncio.sleep(max(settings.poll_seconds, PAUSE_FACTOR * (time.monotonic() - began_at)))


def _layer_bytes(engine: Engine, container: str) -> int:
    found = engine.client.api.containers(all=True, size=True, filters={"id": container})
    return sum(one.get("SizeRw") or 0 for one in found)
