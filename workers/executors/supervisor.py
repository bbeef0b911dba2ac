"""A small process between the worker and an executor: when it ends, nothing that the executor started is left."""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import time
from typing import Any, Final

from workers.executors.output_log import OutputLog
from workers.executors.process_table import bytes_under, descendants, memory_of, signal_all

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
TICK_SECONDS: Final = 0.5
READ_BYTES: Final = 1 << 18
INPUT: Final = 0


def main(text: str) -> None:
    """Run the command of an order in JSON; when it ends or is to end, end all that it started, and say how it went.

    It is a process of its own that loads the standard library and its two neighbours only, so that it starts at once.
    Its standard input is a pipe that closes when the worker asks for the end, or is dead. The answer is a line of JSON
    on standard output. What the executor itself prints goes to the log.
    """
    order = json.loads(text)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signals = _signals()
    child, output = _start(order)
    run = Run(child, output, signals, log=OutputLog(order["log"], limit=order["log_bytes"]))
    try:
        cause = run.watch(order)
    finally:
        status = run.end(order["grace_seconds"])
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps({"code": os.waitstatus_to_exitcode(status), "cause": cause}).encode() + b"\n")


class Run:
    """The executor's own process, the pipe of its output, and how it ended once it has."""

    def __init__(self, child: int, output: int, signals: int, *, log: OutputLog) -> None:
        self.status: int | None = None
        """The wait status of the executor's own process."""
        self._child = child
        self._signals = signals
        self._log = log
        self._output = output
        self._open = True

    def watch(self, order: dict[str, Any]) -> str:
        """Return why the run is over: the executor ended, the worker wants it to, or it went over a limit."""
        started_at = time.monotonic()
        look_at = 0.0
        while self.status is None:
            if self._is_to_stop(max(0.0, look_at - time.monotonic())):
                return "stopped"
            now = time.monotonic()
            if order["seconds"] is not None and now - started_at > order["seconds"]:
                return "seconds"
            if now < look_at or self._reap():
                continue
            look_at = now + TICK_SECONDS
            if exceeded := _exceeded(order):
                return exceeded
        return "ended"

    def end(self, grace: float) -> int:
        """End all that runs, by force after the grace, take the rest of the output, and return the wait status."""
        if self.status is None:
            signal_all(signal.SIGTERM)
        until = time.monotonic() + grace
        while self.status is None and time.monotonic() < until:
            self._wait(0.1, ())
            self._reap()
        while self._reap_all():
            signal_all(signal.SIGSTOP)  # what is stopped cannot multiply while the rest is looked for
            signal_all(signal.SIGKILL)
            time.sleep(0.005)
        while self._open and self._take():
            pass
        self._log.close()
        return self.status or 0

    def _is_to_stop(self, seconds: float) -> bool:
        """Wait for something to happen, and return whether that was the worker's wish, or its death."""
        readable = self._wait(seconds, (INPUT, self._signals))
        if INPUT in readable and not os.read(INPUT, 4096):
            return True
        if self._signals not in readable:
            return False
        came = os.read(self._signals, 4096)
        self._reap()
        return any(number != signal.SIGCHLD for number in came)

    def _wait(self, seconds: float, others: tuple[int, ...]) -> list[int]:
        watched = [*others, self._output] if self._open else list(others)
        readable, _, _ = select.select(watched, [], [], seconds)
        if self._open and self._output in readable:
            self._take()
        return readable

    def _take(self) -> bool:
        try:
            data = os.read(self._output, READ_BYTES)
        except BlockingIOError:
            return False
        self._open = bool(data)
        self._log.write(data)
        return self._open

    def _reap(self) -> bool:
        """Take note of every child that has ended; return whether the executor's own process has."""
        pid = -1
        with contextlib.suppress(ChildProcessError):
            while pid:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == self._child:
                    self.status = status
        return self.status is not None

    def _reap_all(self) -> bool:
        """Take note of every child that has ended; return whether there are others."""
        self._reap()
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True


def _signals() -> int:
    """Return a pipe that tells of signals, so that the end of a child wakes who waits."""
    told, tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, _ignore)
    signal.set_wakeup_fd(tell)
    return told


def _ignore(_number: int, _frame: object) -> None:
    pass


def _start(order: dict[str, Any]) -> tuple[int, int]:
    output, theirs = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(output, False)
    child = os.fork()
    if child:
        os.close(theirs)
        return child, output
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        limit = order["output_bytes"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(order["folder"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(theirs, 1)
        os.dup2(theirs, 2)
        os.execvp(order["command"][0], order["command"])  # noqa: S606 - running it is what this program is for
    except OSError as error:
        os.write(theirs, f"cannot start {order['command']}: {error}\n".encode())
    os._exit(127)


def _exceeded(order: dict[str, Any]) -> str:
    if bytes_under(order["output"]) > order["output_bytes"]:
        return "output_bytes"
    if order["memory_bytes"] is not None and memory_of(descendants()) > order["memory_bytes"]:
        return "memory_bytes"
    return ""
