"""What a container may not do: each way out that is known is tried from inside, and refused."""

import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.workers.executors.container_bench import Bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Each prints its name if it succeeds, so whatever is printed is a way out.
PYTHON_WAYS = """
import ctypes, os, socket, sys
def tried(name, way):
    try:
        way()
        print("OUT", name, flush=True)
    except (OSError, ValueError):
        pass
libc = ctypes.CDLL(None, use_errno=True)
def called(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno())
tried("network", lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1))
tried("unix socket of the host", lambda: socket.socket(socket.AF_UNIX).connect("\\0" + sys.argv[2]))
tried("name server", lambda: socket.getaddrinfo("example.org", 80))
tried("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
tried("setuid", lambda: os.setuid(0))
tried("setgroups", lambda: os.setgroups([0]))
tried("chroot", lambda: os.chroot("/tmp"))
tried("device", lambda: os.mknod("/tmp/device", 0o060666, os.makedev(254, 0)))
tried("hard link out of the input", lambda: os.link("/in/script.sh", "/out/linked"))
tried("namespace", lambda: called(272, 0x10000000))
tried("mount", lambda: called(165, b"none", b"/tmp", b"tmpfs", 0, 0))
tried("keyring", lambda: called(248, b"user", b"name", b"x", 1, -3))
tried("module", lambda: called(313, 0, b"", 0))
tried("open by handle", lambda: called(304, -100, b"", 0))
tried("bpf", lambda: called(321, 0, 0, 0))
"""
SHELL_WAYS = """
out() { echo "OUT $*"; }
try() { name=$1; shift; "$@" >/dev/null 2>&1 && out "$name"; }
try "docker socket" ls /var/run/docker.sock
try "docker socket" ls /run/docker.sock
try "a path of the host" ls {host}
try "a path of the host" ls /proc/1/root{host}
try "a path of the host" ls /in/../{host}
try "write input" touch /in/new
try "write input" bash -c 'echo x >> /in/script.sh'
try "write input" chmod 777 /in/script.sh
try "write input" rm -f /in/script.sh
try "write input" mount -o remount,rw /in
try "write image" touch /usr/bin/x
try "write image" bash -c 'echo x >> /etc/passwd'
try "kernel" bash -c 'echo x > /proc/sys/kernel/core_pattern'
try "kernel" bash -c 'echo b > /proc/sysrq-trigger'
try "kernel" bash -c 'echo 1 > /sys/kernel/mm/ksm/run'
try "cgroup" mkdir /sys/fs/cgroup/memory/mine
try "cgroup" bash -c 'echo -1 > /sys/fs/cgroup/memory/memory.limit_in_bytes'
try "memory of the machine" head -c 1 /dev/mem
try "disk of the machine" bash -c 'head -c 1 /dev/vda /dev/sda'
[ "$(rootbash -p -c 'id -u')" = 0 ] && out "setuid program"
[ "$(ls -d /proc/[0-9]* | wc -l)" -gt 20 ] && out "processes of others"
[ "$(ls /sys/class/net | wc -l)" -gt 1 ] && out "network interface"
grep -q '^CapEff:\\s*0*$' /proc/self/status || out "capabilities"
grep -q '^CapBnd:\\s*0*$' /proc/self/status || out "bounding capabilities"
grep -q '^NoNewPrivs:\\s*1$' /proc/self/status || out "new privileges"
grep -q '^Seccomp:\\s*2$' /proc/self/status || out "all system calls"
[ "$(id -u)" = 0 ] && out "root"
"""


@pytest.fixture
def listeners() -> Iterator[tuple[int, str]]:
    """Listen on the host as its services do: on a port of the loopback interface, and on an abstract socket."""
    name = f"ymir-escape-{uuid4().hex}"
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        yield port.getsockname()[1], name


async def test_every_way_out_is_shut(bench: Bench, tmp_path: Path, listeners: tuple[int, str]) -> None:
    other = bench.order("")  # the files of another task, beside those of this one
    (other.folder.given / "secret").write_text("of another task")
    port, name = listeners
    script = (
        SHELL_WAYS.replace("{host}", str(tmp_path))
        + f"python3 - {port} {name} <<'END'\n{PYTHON_WAYS}\nEND\necho done\n"
    )

    exited = await bench.ran(script)

    assert exited.is_success
    assert bench.log == "done\n"
    assert (bench.folder.given / "script.sh").read_text() == script


async def test_the_ways_are_tried_as_they_would_succeed(bench: Bench, listeners: tuple[int, str]) -> None:
    """A list of refusals proves nothing if the questions are wrong: where they are allowed, some succeed."""
    port, name = listeners
    script = (
        f'{SHELL_WAYS.splitlines()[1]}\ntry() {{ name=$1; shift; "$@" >/dev/null 2>&1 && out "$name"; }}\n'
        "try written touch /out/x\ntry linked ln /out/x /out/y\ntry listed ls /in/script.sh\n"
    )

    await bench.ran(script)

    assert bench.log.splitlines() == ["OUT written", "OUT linked", "OUT listed"]
    socket.create_connection(("127.0.0.1", port)).close()
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(f"\0{name}")


async def test_root_by_name_is_still_shut_in(bench: Bench, tmp_path: Path) -> None:
    script = (
        "exec 2>/dev/null\nid -u\ntouch /in/new && echo OUT; mount -t tmpfs none /mnt && echo OUT\n"
        "mknod /tmp/d b 254 0 && echo OUT\n"
        f"ls {tmp_path} && echo OUT; echo x > /proc/sys/kernel/core_pattern && echo OUT\n"
        "grep -c . /proc/net/dev; chown 5:5 /out/models && echo changed\n"
    )

    await bench.ran(script, run_as_root=True)

    assert bench.log.splitlines() == ["0", "3", "changed"]
