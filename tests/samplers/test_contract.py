"""What every sampler keeps to, whatever the space."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from optuna.trial import TrialState

from spiketune.errors import ConfigError, InputError
from spiketune.samplers.grid import GridExhaustedError
from spiketune.samplers.stock import SAMPLERS, check_sampler
from spiketune.space import Choice, Float, Int, Space
from tests.samplers.studies import SPACES, MemoryStudy, smooth

GRIDS = ("grid", "random-from-grid")  # they need finite ranges
N_ASKS = {"gp": 6, "cmaes": 16}  # gp fits a model per ask
OPTIONS: dict[str, dict[str, Any]] = {
    "gp": {"n_startup_trials": 4},
    "tpe": {"n_startup_trials": 4},
    "nsga2": {"population_size": 4},
    "nsga3": {"population_size": 4},
}


def mixed(values: Mapping[str, Any]) -> list[float] | None:
    """Some fail, the others are smooth."""
    told = smooth(values)
    return None if told[0] > 2.0 else told


def study_of(name: str, space: Space, seed: int = 0) -> MemoryStudy:
    options = OPTIONS.get(name, {})
    if name == "gp" and space.require:
        pytest.skip("up to 20 models a draw take too long")
    try:
        check_sampler(name, options, 1, space)
    except InputError as error:
        pytest.skip(f"refused: {error}")
    return MemoryStudy(space, name, seed=seed, options=options)


def run(study: MemoryStudy, n: int) -> list[Mapping[str, Any]]:
    asked: list[Mapping[str, Any]] = []
    try:
        for _ in range(n):
            asked += study.run(1, mixed)
    except GridExhaustedError:
        assert asked
    return asked


@pytest.fixture(params=sorted(SAMPLERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=sorted(SPACES))
def space(request: pytest.FixtureRequest) -> Space:
    return SPACES[request.param]


def test_every_configuration_is_one_of_the_space(name: str, space: Space) -> None:
    study = study_of(name, space)
    asked = run(study, N_ASKS.get(name, 12))
    for values in asked:
        space.check(values)
    stored = [t for t in study.study.get_trials() if t.state != TrialState.WAITING]
    assert [t.params.keys() for t in stored] == [values.keys() for values in asked]


def test_the_same_journal_and_seed_ask_the_same_after_a_restart(name: str, space: Space) -> None:
    study = study_of(name, space)
    for _ in range(N_ASKS.get(name, 12)):
        try:
            old, accepted = study.asker.ask()
        except GridExhaustedError:
            with pytest.raises(GridExhaustedError):
                study.restarted().ask()
            break
        new, _ = study.restarted().ask()
        assert new == old
        trial = study.add(old, rejected=not accepted)
        if accepted:
            study.tell(trial, mixed(old.values))


def test_two_studies_of_one_seed_ask_the_same(name: str, space: Space) -> None:
    n = min(8, N_ASKS.get(name, 8))
    assert run(study_of(name, space), n) == run(study_of(name, space), n)


def test_asking_twice_without_writing_down_gives_the_same_and_stores_nothing(
    name: str, space: Space
) -> None:
    study = study_of(name, space)
    run(study, 3)
    before = [repr(t) for t in study.study.get_trials()]
    attrs = dict(study.storage.get_study_system_attrs(study.study._study_id))
    try:
        first, second = study.asker.ask(), study.asker.ask()
    except GridExhaustedError:
        return
    assert first == second
    assert [repr(t) for t in study.study.get_trials()] == before
    assert study.storage.get_study_system_attrs(study.study._study_id) == attrs


def test_another_seed_asks_otherwise(name: str) -> None:
    if name == "grid":
        pytest.skip("the grid has one order")
    first, second = (run(study_of(name, SPACES["plain"], seed), 5) for seed in (0, 1))
    assert first != second
    assert len({values["x"] for values in first}) == 5


def test_no_searched_value_is_the_same_in_every_trial(name: str) -> None:
    if name in GRIDS:
        pytest.skip("the grid needs finite ranges")
    asked = run(study_of(name, SPACES["conditional"]), 6 if name == "gp" else 16)
    for parameter in ("x", "z", "always"):
        seen = [values[parameter] for values in asked if parameter in values]
        assert len(set(seen)) == len(seen) or len(set(seen)) > len(seen) / 2, parameter


def test_several_trials_may_run_at_once(name: str) -> None:
    space = SPACES["stepped"] if name in GRIDS else SPACES["plain"]
    study = study_of(name, space)
    run(study, 3)
    running, asked = [], []
    for _ in range(4):
        proposal, _ = study.asker.ask()
        running.append(study.add(proposal))
        asked.append(proposal.values)
    assert all(a != b for a, b in itertools.pairwise(asked))
    for trial in running:
        study.tell(trial, [1.0])
    space.check(study.asker.ask()[0].values)


def test_two_objectives_are_taken_or_refused_beforehand(name: str) -> None:
    space = SPACES["stepped"] if name in GRIDS else SPACES["plain"]
    if not SAMPLERS[name].several:
        with pytest.raises(ConfigError, match=r"takes one objective, got 2; try 'nsga2'"):
            check_sampler(name, {}, 2, space)
        return
    study = MemoryStudy(space, name, n_objectives=2, options=OPTIONS.get(name, {}))
    asked = study.run(6, lambda v: [v["x"], v["n"]] if v["n"] < 8 else None)
    for values in asked:
        space.check(values)


FINE = Space(
    {
        "a": Int(1, 100),
        "k": Choice(["u", "v"]),
        "x": Float(0.0, 1.0, step=0.01),
        "z": Float(0.0, 1.0, step=0.5, when="k == 'u'"),
    },
    ["a < 100 or k == 'u'"],
)


@pytest.mark.parametrize(
    ("name", "n"), [("grid", 5_000), ("random-from-grid", 5_000), ("random", 10_000)]
)
def test_ten_thousand_asks_of_grids_and_of_chance_hold_no_invalid_value(name: str, n: int) -> None:
    study = MemoryStudy(FINE, name)
    seen = set()
    for _ in range(n):
        proposal, accepted = study.asker.ask()
        trial = study.add(proposal, rejected=not accepted)
        if accepted:
            FINE.check(proposal.values)
            study.tell(trial, mixed(proposal.values))
            seen.add(tuple(proposal.values.items()))
    assert len(seen) == n or name == "random"
