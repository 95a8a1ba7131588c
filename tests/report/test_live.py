import io

import pytest
from optuna.trial import create_trial
from rich.console import Console

from spiketune.messages import Report
from spiketune.report.live import Display
from spiketune.study.progress import Progress
from spiketune.study.records.results import TrialRow
from spiketune.study.recovery import Running


class Watched:
    path = "runs/s"

    def __init__(self, directions, rows):
        self.directions = directions
        self._rows = rows

    def rows(self):
        return self._rows


def progress(event=None, **changes):
    running = Running(create_trial(value=0.0), {}, attempt=2, worker="1")
    running.reports = {3.0: Report(0, 2, 3.0, {"validation_accuracy": 0.912, "loss": 1.0})}
    fields = {
        "n_done": 4,
        "n_failed": 1,
        "n_target": 10,
        "running": (running,),
        "n_workers": 2,
        "elapsed_s": 3725.0,
        "time_budget_s": None,
        "now_s": 0.0,
        "ended_busy_s": 1.0,
        "event": event,
    }
    return Progress(**{**fields, **changes})


ROWS = [TrialRow(0, "finished", {}, {"loss": 0.5}), TrialRow(1, "finished", {}, {"loss": 0.25})]


def shown(study, *updates, terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    with Display(study, console) as display:
        for update in updates:
            display.update(update)
    return console.file.getvalue()


def test_a_pipe_gets_a_plain_line_for_each_event_and_none_without():
    text = shown(
        Watched({"loss": "minimize"}, ROWS),
        progress("trial 1 finished"),
        progress(None),
        progress("trial 2 [bold]crash"),
        terminal=False,
    )
    assert text.splitlines() == [
        "[5/10] trial 1 finished | 1:02:05 | loss 0.25 (trial 1)",
        "[5/10] trial 2 [bold]crash | 1:02:05 | loss 0.25 (trial 1)",
    ]


def test_a_terminal_shows_counts_the_best_the_workers_and_what_runs():
    text = shown(Watched({"loss": "minimize"}, ROWS), progress("trial 1 finished"), terminal=True)
    for words in (
        "5/10",
        "done 4",
        "failed 1",
        "running 1",
        "loss 0.25",
        "validation_accuracy 0.912",
    ):
        assert words in text


def test_several_objectives_show_the_size_of_the_front_and_its_hypervolume():
    rows = [
        TrialRow(0, "finished", {}, {"a": 1.0, "b": 2.0}),
        TrialRow(1, "finished", {}, {"a": 2.0, "b": 1.0}),
        TrialRow(2, "finished", {}, {"a": 3.0, "b": 3.0}),
    ]
    text = shown(Watched({"a": "minimize", "b": "minimize"}, rows), progress("x"), terminal=False)
    assert "front 2, hypervolume 3" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_a_study_with_nothing_yet_is_shown_as_such(terminal):
    start = progress("begins", n_done=0, n_failed=0, running=(), n_target=None, time_budget_s=60.0)
    text = shown(Watched({"loss": "minimize"}, []), start, terminal=terminal)
    assert "nothing feasible yet" in text
