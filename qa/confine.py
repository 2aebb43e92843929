"""Run one of our modules on bytes in a fresh interpreter under limits: bytes in, the bytes it printed out.

Parsers of other people's formats hang, explode and crash. Here that ends in a reason code and never in this process.
Time is limited everywhere; memory and processor seconds where the system can (Linux; macOS keeps only the seconds).
"""

import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from qa.charset import UnreadableError

MEMORY = 1 << 30  # bytes of address space
CPU_SECONDS = 30
WALL_SECONDS = 120  # more than the processor's, because the machine may have other work


def run_confined(module: str, argument: str, data: bytes) -> bytes:
    """Run `python -m module argument` with data as its input; return its output.

    Raises UnreadableError: time_limit if it took too long, crashed if it failed in any other way.
    """
    command = [sys.executable, "-BPS", "-m", module, argument]  # -S: sooner ready, without `site` and its .pth files
    places = [*sys.path, str(Path(__file__).parents[1])]  # it finds what we find, ourselves too
    ours = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, places))}
    too_long = UnreadableError("time_limit", f"takes over {CPU_SECONDS} seconds to read; split it up")
    try:
        done = subprocess.run(
            command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=WALL_SECONDS, env=ours
        )
    except subprocess.TimeoutExpired:
        raise too_long from None
    if done.returncode == -signal.SIGXCPU:
        raise too_long
    if done.returncode:
        raise UnreadableError("crashed", f"stops its parser (code {done.returncode}); save it anew or convert it")
    return done.stdout


def limit_this_process() -> None:
    """Set the limits of the process that `run_confined` started."""
    limits = {
        resource.RLIMIT_AS: (MEMORY, MEMORY),
        resource.RLIMIT_CPU: (CPU_SECONDS, CPU_SECONDS + 1),  # subtle: at the second number it could not say why
        resource.RLIMIT_FSIZE: (0, 0),  # a parser writes no files
        resource.RLIMIT_CORE: (0, 0),
    }
    for kind, limit in limits.items():
        with suppress(ValueError, OSError):  # it has a lower one already, or the system keeps none of this kind
            resource.setrlimit(kind, limit)
