"""The silence probe: who is rejected, at what price, and how its errors are counted."""

from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from spiketune.config.loading import check_resolved
from spiketune.errors import ConfigError
from spiketune.messages import Result
from spiketune.objectives import probing
from spiketune.objectives.execution import execute
from spiketune.seeding import child_seed
from spiketune.study.probing import ProbeTally, binomial_interval, tally_of
from spiketune.study.records.results import TrialRow

from .test_training import small

DEAF = {"kind": "lif", "beta": 0.5, "threshold": 1e6}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKETUNE_CACHE", str(tmp_path / "cache"))


def network(**neuron):
    layers = [{"name": "hidden", "dense": 16}, {"name": "out", "dense": "classes"}]
    return {"neuron": neuron or {"kind": "lif", "beta": 0.9}, "layers": layers}


def run(tmp_path, probe, neuron=None, seed=11, **silence):
    rule = {"min_spikes": 1, "share": 0.5, "probe": probe, **silence}
    job = make_job(tmp_path, small(silence=rule, network=network(**(neuron or {}))), seed)
    reports = []
    return execute(job, reports.append, lambda: False), reports


def make_job(tmp_path, section, seed):
    from spiketune.messages import Job

    return Job(
        "s",
        3,
        1,
        section,
        {},
        seed,
        5,
        str(tmp_path),
        str(tmp_path / f"checkpoint-{seed}"),
        objectives=("validation_accuracy", "train_loss", "spikes_per_sample"),
    )


def not_audited(seed=11):
    while child_seed(seed, "probe") / 2**31 < probing.AUDITED_SHARE:
        seed += 1
    return seed


def audited(seed=0):
    while child_seed(seed, "probe") / 2**31 >= probing.AUDITED_SHARE:
        seed += 1
    return seed


def test_a_network_that_says_nothing_is_not_trained(tmp_path):
    end, reports = run(tmp_path, True, DEAF, not_audited())
    assert isinstance(end, Result), end
    assert (end.ended, reports, end.fidelity) == ("silent", [], None)
    assert end.constraints == {"silence": 0.5}
    assert end.details["probe"] == "rejected"
    assert end.metrics["silent_share"] == 1.0
    assert end.metrics["spikes_per_sample"] == 0.0
    assert end.metrics["cost_s"] == end.cost_s == end.details["probe_s"]


def test_a_network_that_speaks_is_trained_as_without_a_probe(tmp_path):
    with_probe, reports = run(tmp_path / "a", True)
    without, _ = run(tmp_path / "b", False)
    assert with_probe.details["probe"] == "spoke"
    assert len(reports) == 2
    same = {k: v for k, v in with_probe.metrics.items() if k != "cost_s"}
    assert same == {k: v for k, v in without.metrics.items() if k != "cost_s"}
    assert "probe" not in without.details


def test_some_of_the_rejected_are_trained_all_the_same(tmp_path):
    end, reports = run(tmp_path, True, DEAF, audited())
    assert [r.metrics["probe_audited"] for r in reports] == [1.0]
    assert end.details["probe"] == "audited"
    assert end.ended == "silent"  # and stopped in its first epoch, as without a probe
    assert end.fidelity == 1


def test_two_in_a_hundred_are_audited():
    share = sum(child_seed(s, "probe") / 2**31 < probing.AUDITED_SHARE for s in range(20_000)) / 2e4
    assert share == pytest.approx(0.02, abs=4 * (0.02 * 0.98 / 2e4) ** 0.5)


def test_other_kinds_of_network_have_no_probe():
    section = {
        "dataset": {"name": "digits", "encoding": "rate", "steps": 5},
        "silence": {"probe": True},
        "network": {"kind": "stdp", "neurons": 10},
    }
    with pytest.raises(ConfigError, match="goes with networks of layers alone"):
        check_resolved(section)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (0, 8), (3, 8), (8, 8), (17, 200)])
def test_the_interval_agrees_with_scipy(hits, n):
    expected = stats.binomtest(hits, n).proportion_ci(0.95, "exact")
    assert binomial_interval(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_false_rejections_are_those_audited_that_spoke():
    row = TrialRow(0, "finished", {}, objectives={"loss": 0.0})
    said = [
        *[("spoke", "finished")] * 3,
        *[("rejected", "silent")] * 5,
        *[("audited", "silent")] * 3,
        ("audited", "finished"),
    ]
    rows = [replace(row, state=state, details={"probe": word}) for word, state in said]
    stopped = replace(row, state="stopped")  # at a rung: its reports alone say it
    tally = tally_of([*rows, replace(row, state="failed", objectives={}), stopped])
    assert tally == ProbeTally(n_probed=13, n_rejected=5, n_audited=4, n_false=1)
    more = tally_of([*rows, replace(stopped, reports={"probe_audited": [1.0]})])
    assert more == ProbeTally(n_probed=13, n_rejected=5, n_audited=5, n_false=2)
    assert tally.in_words() == (
        "Silence probe: 5 of 13 trials rejected untrained; of 4 trained all the same 1 spoke: "
        "false rejections 25.0% (0.6% to 80.6% at 95 %)."
    )
    assert tally_of([row]).in_words() == ""
    assert "is unknown" in tally_of(rows[:8]).in_words()
