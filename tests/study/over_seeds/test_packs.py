"""Trainings over seeds as one job: what goes together, and what comes of each."""

import copy
from dataclasses import replace

import torch

from spiketune.clock import VirtualClock
from spiketune.executors.local import LocalExecutor
from spiketune.executors.simulated import SimulatedExecutor
from spiketune.messages import Failure, Job, Result
from spiketune.study.over_seeds.packs import ALONE, TOGETHER, packed
from spiketune.study.over_seeds.retraining import Plan, retrain
from spiketune.study.over_seeds.trainings import Candidate, train_over_seeds
from spiketune.training.saved import load_network
from tests.study.support import TESTS

SECTION = {
    "device": "cpu",
    "dataset": {"name": "yin-yang", "train_share": 0.02},
    "network": {
        "kind": "first_spike",
        "loss": {"name": "shift_invariant_mse"},
        "layers": [
            {"name": "hidden", "neurons": 5, "delay": {"kind": "axonal"}},
            {"name": "out", "neurons": "classes", "weights_mean": 0.5},
        ],
    },
    "training": {"epochs": 2, "batch_size": 20, "optimizer": {"learning_rate": 0.01}},
}


def job(number: int, section=SECTION, function=ALONE, **rest):
    params = {"section": section, "folder": f"/x/seed-{number}", "reason": "test"}
    return Job(
        study="retrain",
        number=number,
        attempt=1,
        section={"function": function},
        params=params,
        seed=100 + number,
        study_seed=0,
        folder=f"/x/seed-{number}",
        checkpoint_folder=f"/x/seed-{number}/checkpoints",
        objectives=("test_accuracy",),
        **rest,
    )


def sizes(packs):
    return [len(pack.members) for pack in packs]


def test_jobs_are_packed_so_that_no_worker_is_idle_and_none_grows_too_large():
    jobs = [job(k) for k in range(20)]
    assert sizes(packed(jobs, 1)) == [10, 10]
    assert sizes(packed(jobs[:16], 1)) == [16]
    assert sizes(packed(jobs[:5], 2)) == [2, 3]
    assert sizes(packed(jobs[:2], 4)) == [1, 1]
    assert packed([], 2) == []
    pack = packed(jobs[4:8], 1)[0]
    assert pack.job.section == {"function": TOGETHER}
    assert pack.job.number == 4
    assert pack.job.params["seeds"] == [104, 105, 106, 107]
    assert pack.job.params["folders"] == [f"/x/seed-{k}" for k in range(4, 8)]


def test_only_plain_networks_of_first_spike_times_go_together():
    noisy, layered = copy.deepcopy(SECTION), copy.deepcopy(SECTION)
    noisy["network"]["threshold_noise"] = {"batch_std": 0.1}
    layered["network"] = {"layers": [{"name": "out", "dense": "classes"}]}
    for section in (noisy, layered, {"network": {"kind": "first_spike"}}):
        assert sizes(packed([job(k, section) for k in range(3)], 1)) == [1, 1, 1]
    assert sizes(packed([job(k, function="mine:train") for k in range(3)], 1)) == [1, 1, 1]
    other = copy.deepcopy(SECTION)
    other["training"]["epochs"] = 3
    assert sizes(packed([job(0), job(1), job(2, other), job(3, other)], 1)) == [2, 2]


def test_large_networks_are_trained_one_by_one():
    large = copy.deepcopy(SECTION)
    large["network"]["layers"][0]["neurons"] = 350
    assert sizes(packed([job(k, large) for k in range(3)], 1)) == [1, 1, 1]


def test_the_members_of_a_pack_that_fails_are_trained_alone(tmp_path):
    asked = []

    def script(given):
        asked.append(given.section["function"])
        if given.section["function"] == TOGETHER:
            return [(1.0, Failure(given.number, given.attempt, "oom", "no memory"))]
        return [(1.0, Result(given.number, given.attempt, {"test_accuracy": given.seed / 200}))]

    def job_of(candidate, k):
        return replace(job(k), folder=str(tmp_path / f"seed-{k}"))

    told = []
    ends = train_over_seeds(
        [Candidate("one", SECTION)],
        3,
        job_of,
        SimulatedExecutor(script, 1, VirtualClock()),
        lambda label, seed, message: told.append(seed),
    )
    assert asked == [TOGETHER, ALONE, ALONE, ALONE]
    assert [end.metrics["test_accuracy"] for end in ends[0]] == [0.5, 0.505, 0.51]
    assert told == [0, 1, 2]


def test_ends_of_a_pack_are_those_of_its_members():
    pack = packed([job(k) for k in range(3)], 1)[0]
    metrics = {"0/test_accuracy": 0.5, "0/cost_s": 1.0, "2/test_accuracy": 0.7, "2/cost_s": 2.0}
    end = Result(0, 1, metrics, fidelity=2, details={"failures": {"1": "the loss became nan"}})
    first, second, third = pack.ends(end)
    assert isinstance(first, Result)
    assert isinstance(third, Result)
    assert (first.number, first.metrics["test_accuracy"], first.cost_s) == (0, 0.5, 1.0)
    assert (third.number, dict(third.metrics)) == (2, {"test_accuracy": 0.7, "cost_s": 2.0})
    assert second == Failure(1, 1, "nan", "the loss became nan", end.cost_s)
    lost = pack.ends(Failure(0, 1, "oom", "no memory"))
    assert [(f.number, f.kind) for f in lost] == [(0, "oom"), (1, "oom"), (2, "oom")]


def plan(folder, n_seeds):
    return Plan(n_seeds, folder, study_seed=0, reason="test", base_folder=TESTS)


def test_retraining_in_a_pack_finds_what_single_trainings_find(tmp_path):
    executor, ends = LocalExecutor(1, base_folder=TESTS), []
    candidate = Candidate("one", SECTION)
    together, apart = plan(tmp_path / "together", 3), plan(tmp_path / "apart", 1)

    def listen(label, seed, message):
        if isinstance(message, Result):
            ends.append(seed)

    (found,) = retrain([candidate], together, executor, listen)
    assert sorted(ends) == [0, 1, 2]
    assert (tmp_path / "together" / "one" / "pack-seed-0").exists()
    (again,) = retrain([candidate], together, executor, listen)
    assert again == found
    assert len(ends) == 3  # nothing was trained twice
    (more,) = retrain([candidate], plan(tmp_path / "together", 4), executor, listen)
    assert more.metrics["test_loss"][:3] == found.metrics["test_loss"]
    assert len(ends) == 4
    (single,) = retrain([candidate], apart, executor)
    executor.close()
    for name in ("test_loss", "test_accuracy", "validation_loss", "n_parameters"):
        assert single.metrics[name][0] == found.metrics[name][0]
    both = [
        load_network(folder / "one" / "seed-0" / "network.safetensors")[0].state_dict()
        for folder in (tmp_path / "together", tmp_path / "apart")
    ]
    assert all(torch.equal(both[0][name], both[1][name]) for name in both[0])
    for k in range(3):
        folder = tmp_path / "together" / "one" / f"seed-{k}"
        assert (folder / "predictions.npz").exists()
        assert len((folder / "test-opening.jsonl").read_text().splitlines()) == 1
