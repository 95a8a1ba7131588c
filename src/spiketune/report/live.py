"""Progress of a running study: a live display on a terminal, plain lines when piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from spiketune.study.at_work import Running
from spiketune.study.progress import Progress
from spiketune.study.records.results import TrialRow, front, hypervolume, ranked

if TYPE_CHECKING:
    from pathlib import Path

_SHARE = 0.05  # of the time may go into computing the front anew
_MAX_EVENTS = 5


class Watched(Protocol):
    """The study that is shown."""

    @property
    def path(self) -> Path:
        """Its folder."""

    @property
    def directions(self) -> dict[str, str]:
        """Direction by objective."""

    def rows(self) -> list[TrialRow]:
        """Its trials."""


@final
class Display:
    """Shows progress while it is entered.

    Args:
        study: The study.
        console: Where to; standard error's terminal, or plain lines on it, if None.
    """

    def __init__(self, study: Watched, console: Console | None = None) -> None:
        self._study = study
        self._console = console or Console(file=sys.stderr)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._is_live = self._console.is_terminal
        self._started_s = time.monotonic()
        self._look_again_s = 0.0
        self._n_seen = -1
        self._n_first: int | None = None
        self._result = ""
        self._events: list[str] = []

    def __enter__(self) -> Self:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_live:
            self._live.stop()

    def update(self, progress: Progress) -> None:
        """Show a new state."""
        n_ended = progress.n_done + progress.n_failed
        if self._n_first is None:
            self._n_first = n_ended
        now_s = time.monotonic()
        if n_ended != self._n_seen and now_s >= self._look_again_s:
            self._result = self._best()
            took_s = time.monotonic() - now_s
            self._n_seen, self._look_again_s = n_ended, now_s + took_s / _SHARE
        if progress.event:
            self._events = [*self._events, progress.event][-_MAX_EVENTS:]
        if self._is_live:
            self._live.update(self._page(progress), refresh=True)
        elif progress.event:
            share = f"{n_ended}/{progress.n_target}" if progress.n_target else f"{n_ended}"
            result = f" | {self._result}" if self._result else ""
            line = f"[{share}] {progress.event} | {_clock(progress.elapsed_s)}{result}"
            self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def _best(self) -> str:
        rows, directions = self._study.rows(), self._study.directions
        if len(directions) > 1:
            found = front(rows, directions)
            return f"front {len(found)}, hypervolume {hypervolume(rows, directions):.4g}"
        best = next(iter(ranked(rows, directions)), None)
        if best is None:
            return "nothing feasible yet"
        return ", ".join(f"{k} {v:.4g} (trial {best.number})" for k, v in best.objectives.items())

    def _page(self, progress: Progress) -> RenderableType:
        parts: list[RenderableType] = [self._headline(progress), self._summary(progress)]
        if progress.running:
            parts.append(_running_table(progress.running))
        parts += [
            Text(event, style="dim", overflow="ellipsis", no_wrap=True) for event in self._events
        ]
        return Group(*parts)

    def _headline(self, progress: Progress) -> RenderableType:
        n_ended = progress.n_done + progress.n_failed
        grid = Table.grid(padding=(0, 1))
        share = self._share(progress)
        grid.add_row(
            Text(str(self._study.path), style="bold"),
            ProgressBar(total=1.0, completed=share if share is not None else 0.0, width=32),
            f"{n_ended}/{progress.n_target}" if progress.n_target else f"{n_ended} trials",
            f"elapsed {_clock(progress.elapsed_s)}",
            f"remaining {self._remaining(progress)}",
        )
        return grid

    def _summary(self, progress: Progress) -> RenderableType:
        session_s = max(1e-9, time.monotonic() - self._started_s) * progress.n_workers
        parts = [
            f"done {progress.n_done}",
            f"running {len(progress.running)}",
            f"failed {progress.n_failed}",
            f"workers {min(1.0, progress.busy_s / session_s):.0%} busy",
        ]
        return Text(" · ".join([*parts, *([self._result] if self._result else [])]))

    def _share(self, progress: Progress) -> float | None:
        shares = []
        if progress.n_target:
            shares.append((progress.n_done + progress.n_failed) / progress.n_target)
        if progress.time_budget_s:
            shares.append(progress.elapsed_s / progress.time_budget_s)
        return min(1.0, max(shares)) if shares else None

    def _remaining(self, progress: Progress) -> str:
        options = []
        n_now = progress.n_done + progress.n_failed - (self._n_first or 0)
        if progress.n_target and n_now > 0:
            pace_s = (time.monotonic() - self._started_s) / n_now
            options.append(pace_s * (progress.n_target - progress.n_done - progress.n_failed))
        if progress.time_budget_s:
            options.append(progress.time_budget_s - progress.elapsed_s)
        return _clock(max(0.0, min(options))) if options else "?"


def _running_table(running: tuple[Running, ...]) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for column in ("trial", "worker", "attempt", "seconds", "progress", "last report"):
        table.add_column(column, justify="left" if column == "last report" else "right")
    now_s = time.time()
    for one in running[:20]:
        last = one.reports[one.fidelity].metrics if one.fidelity is not None else {}
        table.add_row(
            str(one.trial.number),
            one.worker,
            str(one.attempt),
            f"{max(0.0, now_s - one.started_s):.0f}",
            f"{one.fidelity:g}" if one.fidelity is not None else "",
            _shortly(last),
        )
    return table


def _shortly(metrics: Mapping[str, float]) -> str:
    first = [name for name in metrics if name.startswith("validation")] or list(metrics)
    return ", ".join(f"{name} {metrics[name]:.4g}" for name in first[:2])


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
