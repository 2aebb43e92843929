"""What becomes of a parser that hangs, crashes or eats memory: a reason, within a time, and never this process."""

import sys
import time
from pathlib import Path

import pytest

from qa import confine
from qa.charset import UnreadableError
from qa.confine import run_confined

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps all limits")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that the child can import, to be written by the test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "odd_parser.py"


def reason(*, seconds: float = 10) -> str:
    begin = time.monotonic()
    with pytest.raises(UnreadableError) as caught:
        run_confined("odd_parser", "kind", b"bytes")
    assert time.monotonic() - begin < seconds
    assert "\n" not in caught.value.detail
    return caught.value.reason


def test_bytes_go_in_and_come_out(program: Path) -> None:
    program.write_text("import sys; sys.stdout.write(sys.argv[1]); sys.stdout.buffer.write(sys.stdin.buffer.read())")
    data = bytes(range(256)) * 10_000  # more than a pipe holds
    assert run_confined("odd_parser", "kind", data) == b"kind" + data or sys.platform == "win32"


def test_a_child_that_reads_nothing_is_no_harm(program: Path) -> None:
    program.write_text("")
    assert run_confined("odd_parser", "kind", b"x" * 1_000_000) == b""


@pytest.mark.parametrize("hang", ["time.sleep(60)", "os.kill(os.getpid(), signal.SIGSTOP)", "signal.pause()"])
def test_a_hang_ends(program: Path, monkeypatch: pytest.MonkeyPatch, hang: str) -> None:
    monkeypatch.setattr(confine, "WALL_SECONDS", 0.5)
    program.write_text(f"import os, signal, time; {hang}")
    assert reason(seconds=5) == "time_limit"


@linux
def test_endless_work_ends(program: Path) -> None:
    program.write_text(
        "from qa import confine\nconfine.CPU_SECONDS = 1\nconfine.limit_this_process()\nwhile True: pass"
    )
    assert reason() == "time_limit"


@pytest.mark.parametrize(
    "crash", ["os.kill(os.getpid(), signal.SIGSEGV)", "os.abort()", "os._exit(139)", "raise SystemExit(1)", "1 / 0"]
)
def test_a_crash_is_named(program: Path, crash: str) -> None:
    program.write_text(f"import os, signal\n{crash}")
    assert reason() == "crashed"


@linux
def test_memory_is_limited(program: Path) -> None:
    program.write_text(
        "from qa.confine import MEMORY, limit_this_process\nlimit_this_process()\n"
        "try: bytearray(MEMORY)\nexcept MemoryError: print('refused')"
    )
    assert run_confined("odd_parser", "kind", b"") == b"refused\n"


@linux
def test_no_file_is_written(program: Path, tmp_path: Path) -> None:
    program.write_text(
        "from qa.confine import limit_this_process\nlimit_this_process()\n"
        f"try: print('x', file=open({str(tmp_path / 'new')!r}, 'w'), flush=True)\nexcept OSError: print('refused')"
    )
    assert run_confined("odd_parser", "kind", b"") == b"refused\n"
