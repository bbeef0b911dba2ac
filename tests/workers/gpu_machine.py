"""A machine with GPUs that there are not: what a stand-in for NVIDIA's library tells of."""

import json
from pathlib import Path
from typing import Any

FAKE = Path(__file__).parent / "executors" / "fake_nvml"
"""A folder to put before the others in which modules are looked for."""
GIB = 2**30


class Machine:
    """The GPUs of a file, which ``FAKE_GPUS`` names."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def has(self, *gpus: int, **changes: Any) -> None:  # noqa: ANN401 - whatever the stand-in knows
        """Let there be GPUs with so many GiB each."""
        described = [{"uuid": f"GPU-{n}", "total": gib * GIB, **changes} for n, gib in enumerate(gpus)]
        self.file.write_text(json.dumps(described))
