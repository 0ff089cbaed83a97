"""The display of a run: what it draws, and what a real terminal shows of a real run."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich.console import Console

from running.live import MOST_WORKERS, Display
from tasks.progress import Progress
from tests.conftest import ROOT, TINY

HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


def drawn(progress: Progress) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    console.print(Display(progress, "quick", console).render())
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_run_that_has_no_plan_yet_is_starting() -> None:
    assert drawn(Progress(lambda: 0.0))[-1] == "quick · 0.0\u202fs · starting"


def test_stages_workers_and_time_left_are_shown() -> None:
    now = [0.0]
    progress = Progress(lambda: now[0])
    progress.workers = 2
    progress.plan("grid", "dense", {f"trial {number}": 10.0 for number in range(1, 5)}, window=4)
    progress.plan("final", "dense", {"seed 1": 20.0}, last=True)
    progress.begin("grid", "trial 1")
    now[0] = 10.0
    progress.end("grid", "trial 1", 0.12345)
    progress.begin("grid", "trial 2")
    now[0] = 14.0
    lines = drawn(progress)
    [grid] = [line for line in lines if line.startswith("grid")]
    assert "1/4" in grid
    assert "0.1235" in grid
    assert any("grid trial 2  4.0\u202fs" in line for line in lines)
    assert lines[-1].startswith("quick · 14\u202fs · about ")
    for stage in ("grid", "final"):
        progress.drop(stage)
    lines = drawn(progress)
    assert lines[-1].endswith("done")
    assert sum("✓" in line for line in lines) == 2


def test_many_workers_leave_room_for_the_rest() -> None:
    progress = Progress(lambda: 0.0)
    for number in range(1, 21):
        progress.begin("grid", f"trial {number}")
    lines = drawn(progress)
    assert sum("▸" in line for line in lines) == MOST_WORKERS
    assert any(f"and {20 - MOST_WORKERS} more" in line for line in lines)


def on_a_terminal(command: list[str], folder: Path) -> tuple[int, bytes]:
    """Runs a command on a terminal of 100 × 30; returns its exit status and all that it wrote."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PREFECT_"))}
    environment = {**inherited, "PREFECT_HOME": str(folder / "prefect"), "TERM": "xterm-256color"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=its, stdout=its, stderr=its)
    os.close(its)
    written = b""
    while True:
        try:
            read = os.read(ours, 4096)
        except OSError:  # nobody has it open any more
            break
        written += read
    os.close(ours)
    return process.wait(timeout=60), written


def test_a_real_terminal_gets_a_display_and_no_scrolling_lines(tmp_path: Path) -> None:
    script = str(ROOT / "flows/fully_connected.py")
    command = [sys.executable, script, "fully_connected_grid", *TINY, "--store", str(tmp_path)]
    status, written = on_a_terminal(command, tmp_path)
    text = written.decode()
    assert status == 0, text[-2000:]
    assert "mnist.npz: 500 images to train" in text
    assert "fully_connected_grid trial" in text  # at work
    assert "trial 1 of 3 ·" not in text  # the line of a run without a terminal
    assert "Traceback" not in text
    assert "✓" in text.rpartition("stage")[2]
    assert written.count(HIDE_CURSOR) == written.count(SHOW_CURSOR) == 1
    assert written.rindex(SHOW_CURSOR) > written.rindex(HIDE_CURSOR)
