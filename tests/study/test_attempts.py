import os
import socket

import pytest

from spiketune.messages import Failure, Report, Result, to_json
from spiketune.study.attempts import (
    RETRIES,
    last_attempt,
    may_retry,
    read_end,
    read_reports,
    worker_alive,
)


def history(*outcomes, fidelities=()):
    found = [{"attempt": i + 1, "outcome": outcome} for i, outcome in enumerate(outcomes)]
    for attempt, fidelity in zip(found, fidelities, strict=False):
        attempt["fidelity"] = fidelity
    return found


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        ("worker_lost", 5),
        ("preempted", 5),
        ("walltime", 5),
        ("oom", 1),
        ("crash", 1),
        ("timeout", 0),
        ("nan", 0),
        ("invalid", 0),
    ],
)
def test_each_kind_is_repeated_as_often_as_designed(kind, allowed):
    assert may_retry(kind, history(*[kind] * allowed), RETRIES)
    assert not may_retry(kind, history(*[kind] * (allowed + 1)), RETRIES)


def test_kinds_are_counted_apart():
    assert may_retry("crash", history("worker_lost", "oom", "crash"), RETRIES)


def test_an_interruption_by_the_asker_never_uses_up_retries():
    assert may_retry("interrupted", history(*["interrupted"] * 1000), RETRIES)


def test_only_an_attempt_that_got_further_starts_the_count_anew():
    further = history(*["crash"] * 3, fidelities=[1.0, 2.0, 3.0])
    assert may_retry("crash", further, RETRIES)
    stuck = history(*["crash"] * 3, fidelities=[3.0, 3.0, 3.0])
    assert not may_retry("crash", stuck, RETRIES)


def test_an_attempt_folder_gives_back_its_end_and_reports(tmp_path):
    end = Result(3, 1, {"loss": 0.5}, fidelity=2.0)
    (tmp_path / "result.json").write_text(to_json(end))
    reports = [Report(3, 1, float(k), {"loss": 1.0 / k}) for k in (1, 2)]
    lines = [to_json(report) for report in reports]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"type": "report", "numb']))
    assert read_end(tmp_path) == end
    assert read_reports(tmp_path) == reports


@pytest.mark.parametrize("text", ["", "{", '{"type": "result"}', '{"type": "job"}', "null", "3"])
def test_a_torn_or_foreign_result_is_none(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    assert read_end(tmp_path) is None


def test_a_folder_without_files_has_no_end_and_no_reports(tmp_path):
    assert read_end(tmp_path / "absent") is None
    assert read_reports(tmp_path / "absent") == []
    assert last_attempt(tmp_path / "absent") == 0
    failure = Failure(1, 2, "oom", "no more")
    (tmp_path / "result.json").write_text(to_json(failure))
    assert read_end(tmp_path) == failure


def test_the_last_attempt_is_counted_as_a_number(tmp_path):
    for k in (1, 2, 10):
        (tmp_path / f"attempt-{k}").mkdir()
    assert last_attempt(tmp_path) == 10


def test_a_worker_is_alive_only_if_its_process_is_and_on_this_host(tmp_path):
    assert not worker_alive(tmp_path)
    lease = tmp_path / "lease.json"
    lease.write_text(f"{socket.gethostname()} {os.getpid()}\n")
    assert worker_alive(tmp_path)
    lease.write_text(f"elsewhere {os.getpid()}\n")
    assert not worker_alive(tmp_path)
    lease.write_text(f"{socket.gethostname()} 99999999\n")
    assert not worker_alive(tmp_path)
    lease.write_text("torn")
    assert not worker_alive(tmp_path)
