"""One display of a run on a terminal, in place of scrolling lines: its stages, what its workers do, the time left."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mnist_models.report.words import duration

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tasks.progress import Progress, Stage

FRAMES = 4  # a second
BAR = 20  # columns
IN_DISPLAY = ("tasks.tuning", "tasks.stages", "tasks.reporting")  # loggers whose news the display shows
MOST_WORKERS = 8  # lines; a terminal has 24


class Display:
    """Shows a run while it goes, in a thread of its own.

    Args:
        progress: What to show.
        name: Of the run, for people.
        console: Where.
    """

    def __init__(self, progress: Progress, name: str, console: Console) -> None:
        self.progress = progress
        self.name = name
        self.console = console
        self._live = Live(get_renderable=self.render, console=console, refresh_per_second=FRAMES)

    def start(self) -> None:
        """Begins to show."""
        self._live.start()

    def stop(self, *, clear: bool = False) -> None:
        """Ends, and leaves the last state on the terminal or takes it away."""
        self._live.transient = clear
        self._live.stop()

    def render(self) -> RenderableType:
        """Draws the present state."""
        with self.progress.lock:
            return self._draw(list(self.progress.stages.values()))

    def _draw(self, stages: list[Stage]) -> RenderableType:
        lefts, left = self.progress.time_left()
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(stages), header_style="dim")
        table.add_column("stage", no_wrap=True)
        table.add_column("", no_wrap=True)
        for name in ("trained", "val_loss", "left"):
            table.add_column(name, justify="right", no_wrap=True)
        for stage in stages:
            table.add_row(*_row(stage, lefts[stage.name]))
        return Group(table, *self._workers(stages), self._footer(stages, left))

    def _workers(self, stages: list[Stage]) -> list[Text]:
        running = sorted((t.begun or 0.0, stage.name, t.name) for stage in stages for t in stage.running())
        lines = [
            Text.assemble(("  ▸ ", "cyan"), f"{stage} {name}", (f"  {duration(self.progress.since(begun))}", "dim"))
            for begun, stage, name in running[:MOST_WORKERS]
        ]
        if len(running) > MOST_WORKERS:
            lines.append(Text(f"    and {len(running) - MOST_WORKERS} more", style="dim"))
        return [Text(), *lines, Text()] if lines else [Text()]

    def _footer(self, stages: list[Stage], left: float) -> Text:
        passed = duration(self.progress.seconds())
        if not stages:
            rest = "starting"
        elif all(stage.done for stage in stages):
            rest = "done"
        else:
            rest = f"about {duration(left)} left"
        return Text.assemble((self.name, "bold"), f" · {passed} · ", (rest, "bold"))


class _AboveDisplay(logging.Handler):
    """Prints above the display what is not in it."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        warns = record.levelno >= logging.WARNING
        if warns or record.name not in IN_DISPLAY:
            style = "yellow" if warns else "dim"
            self._console.print(escape(self.format(record)), style=style, soft_wrap=True, highlight=False)


_shown: list[Display] = []


def show(progress: Progress, name: str) -> logging.Handler | None:
    """Begins to show a run where stdout is a terminal; `hide` ends it.

    Returns:
        What prints above the display the log lines that are not in it; None where nothing is shown, or where stderr
        goes elsewhere and takes all lines.
    """
    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:
        return None
    _shown.append(Display(progress, name, console))
    _shown[0].start()
    return _AboveDisplay(console) if sys.stderr.isatty() else None


def hide(*, clear: bool = False) -> None:
    """Ends the display, where there is one.

    Args:
        clear: Take it off the terminal: what follows says the same and more.
    """
    while _shown:
        _shown.pop().stop(clear=clear)


def _row(stage: Stage, left: float) -> tuple[RenderableType, ...]:
    trainings = list(stage.trainings.values())
    expected = sum(training.expected for training in trainings)
    finished = sum(training.expected for training in stage.finished())
    waits = not stage.done and not stage.running() and not stage.finished()
    total = expected or 1.0
    done = total if stage.done else finished
    bar = ProgressBar(total, done, width=BAR, complete_style="cyan", finished_style="green")
    return (
        Text(stage.name, style="dim" if waits else "green" if stage.done else "bold"),
        bar,
        Text(f"{len(stage.finished())}/{len(trainings)}", style="dim" if waits else ""),
        Text("" if stage.best is None else f"{stage.best:.4f}"),
        Text("✓" if stage.done else duration(left), style="green" if stage.done else "dim" if waits else ""),
    )
