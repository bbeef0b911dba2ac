"""How much the tests break: little in ``make test``, everything in ``make faults``."""

import os
from typing import Final

IS_FULL: Final = os.environ.get("YMIR_FAULTS") == "full"
ACKNOWLEDGED_SECONDS: Final = 60 if IS_FULL else 5
"""How long the broker waits for an acknowledgement before it takes the message, and the channel, away."""
