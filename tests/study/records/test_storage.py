"""What the asker writes down, when it is killed in the middle of it."""

import itertools
from contextlib import closing

import pytest

from spiketune.api import Study
from spiketune.study.records.journal import JournalFile
from spiketune.study.running import storage_of
from spiketune.study.steering.enqueueing import enqueue
from tests.study.support import document, make


class _KilledError(Exception):
    pass


def made(folder):
    here = {"name": "inline"}
    content = document(budget={"trials": 2}, sampler={"name": "random"}, executor=here)
    return Study(make(folder, content).path)


def run(study, *more):
    return Study(study.path).run(*more, listen=lambda progress: None)


def die_after_append(monkeypatch, number):
    """Let the process end after so many appends to the journal."""
    append, count = JournalFile.append_logs, itertools.count(1)

    def append_and_die(self, logs):
        n = next(count)
        if n <= number:
            append(self, logs)
        if n >= number:
            raise _KilledError

    monkeypatch.setattr(JournalFile, "append_logs", append_and_die)


@pytest.mark.parametrize("number", range(1, 5))
def test_an_enqueued_trial_is_run_wherever_the_asker_that_took_it_died(
    tmp_path, monkeypatch, number
):
    study = run(made(tmp_path / "s"))
    with closing(storage_of(study.folder, study.configuration, writable=True)) as storage:
        enqueue(storage, {"x": 0.25}, study.configuration.space)
    with monkeypatch.context() as patch:
        die_after_append(patch, number)
        with pytest.raises(_KilledError):
            run(study, 1)
    run(study)
    (enqueued,) = [row for row in study.rows() if row.params.get("x") == 0.25]
    assert (enqueued.number, enqueued.state) == (2, "finished")


@pytest.mark.parametrize("number", [1, 2])
def test_a_journal_whose_writer_died_as_it_began_is_gone_on_with(tmp_path, monkeypatch, number):
    study = made(tmp_path / "s")
    with monkeypatch.context() as patch:
        die_after_append(patch, number)
        with pytest.raises(_KilledError):
            run(study)
    assert Study(study.path).rows() == []
    assert len(run(study).rows()) == 2
