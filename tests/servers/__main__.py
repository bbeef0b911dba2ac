"""The servers of the production profile, in the foreground until Ctrl-C: ``make servers``."""

import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.servers.found import KINDS


def main() -> None:
    """Start every server that is found, and print the settings that point tests and processes at them."""
    # Held back until the servers run: whatever comes earlier ends them in order too.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    with tempfile.TemporaryDirectory(prefix="ymir-servers-") as folder, ExitStack() as servers:
        for kind in KINDS:
            if kind.program() is None:
                print(f"# no {kind.name} here; to install: {kind.install}")
                continue
            _, settings = servers.enter_context(kind.running(Path(folder) / kind.setting.lower()))
            for name, value in settings.items():
                print(f"export {name}='{value}'", flush=True)
        print("# they run until Ctrl-C, and forget everything then", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
