"""Results of earlier searches, known from the start."""

import csv

import pytest
from optuna.trial import TrialState

from spiketune.api import Study
from spiketune.config.loading import configure
from spiketune.errors import ConfigError
from spiketune.study.budget import n_counted, uptime_s
from spiketune.study.records.folder import load
from spiketune.study.records.storage import StudyStorage
from spiketune.study.running import study_of
from spiketune.study.steering.warm_start import known_trials, warm_start
from tests.study.support import TESTS, document, loop_of, make


def earlier(path, n=6, **study):
    make(path, document(budget={"trials": n}, sampler={"name": "random"}, **study))
    loop, storage = loop_of(path)
    loop.run()
    storage.close()
    return path


def later(source, params=None, **study):
    return document(params=params, warm_start=str(source), budget={"trials": 3}, **study)


def started(path, content):
    """The storage of a new study after its warm start."""
    make(path, content)
    folder, configuration = load(path)
    fingerprint = configuration.space.fingerprint()
    storage = StudyStorage(folder, study_of(configuration), fingerprint, writable=True)
    return storage, configuration, warm_start(storage, configuration)


def test_finished_trials_inside_the_space_are_known_with_their_values(tmp_path):
    source = earlier(tmp_path / "one")
    params = {"x": {"float": [0.0, 0.5]}}
    storage, _, n = started(tmp_path / "two", later(source, params))
    old = [t for t in loop_of(source)[1].trials() if t.params["x"] <= 0.5]
    assert 0 < n == len(old) < 6
    for mine, his in zip(storage.trials(), old, strict=True):
        assert mine.state == TrialState.COMPLETE
        assert mine.params == his.params
        assert mine.values == his.values
        assert mine.user_attrs["imported"] == str(source)
        assert mine.user_attrs["metrics"] == his.user_attrs["metrics"]


def test_they_are_taken_in_once_and_never_counted_in_the_budget(tmp_path):
    storage, configuration, n = started(tmp_path / "two", later(earlier(tmp_path / "one")))
    assert n == 6
    assert warm_start(storage, configuration) == 0
    assert n_counted(storage.trials()) == 0
    assert uptime_s([], storage.trials()) == 0.0
    storage.close()
    loop, storage = loop_of(tmp_path / "two")
    assert loop.run() == "budget"
    assert n_counted(storage.trials()) == 3
    assert len(storage.trials()) == 9
    assert "imported" not in storage.trials()[-1].user_attrs


def test_a_sampler_learns_from_them(tmp_path):
    source = earlier(tmp_path / "one", n=20)
    sampler = {"name": "tpe", "n_startup_trials": 10}
    seen = {}
    for name, content in (
        ("warm", later(source, sampler=sampler)),
        ("cold", document(budget={"trials": 3}, sampler=sampler)),
    ):
        started(tmp_path / name, content)[0].close()
        loop, storage = loop_of(tmp_path / name)
        loop.run()
        seen[name] = [t.params["x"] for t in storage.trials()[-3:]]
    assert max(seen["warm"]) < max(seen["cold"])


def write_csv(path, lines):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path


LINES = [
    {"x": "0.5", "kind": "b", "n": "3", "loss": "1.5", "size": "8", "state": "finished"},
    {"x": "1e-1", "kind": "[1]", "n": "2.0", "loss": "0.5", "size": "20", "state": "finished"},
    {"x": "0.2", "kind": "a", "n": "1", "loss": "0.1", "size": "5", "state": "stopped"},
    {"x": "7", "kind": "a", "n": "1", "loss": "0.1", "size": "5", "state": "finished"},
    {"x": "0.2", "kind": "a", "n": "1.5", "loss": "0.1", "size": "5", "state": "finished"},
    {"x": "0.2", "kind": "a", "n": "1", "loss": "", "size": "5", "state": "finished"},
    {"x": "0.2", "kind": "a", "n": "1", "loss": "nan", "size": "5", "state": "finished"},
    {"x": "0.2", "kind": "a", "n": "1", "loss": "0.1", "size": "", "state": "finished"},
]
PARAMS = {
    "x": {"float": [0.0, 1.0]},
    "kind": {"choice": ["a", "b", [1]]},
    "n": {"int": [1, 3]},
}


def test_a_table_is_read_with_its_constraints_and_what_does_not_fit_is_left_out(tmp_path):
    path = write_csv(tmp_path / "old.csv", LINES)
    content = later(path, PARAMS, constraints=["size <= 10"])
    known, n_unfit = known_trials(configure(content, TESTS))
    assert [dict(one.values) for one in known] == [
        {"x": 0.5, "kind": "b", "n": 3},
        {"x": 0.1, "kind": [1], "n": 2},
    ]
    assert [list(one.constraints.values()) for one in known] == [[-2.0], [10.0]]
    assert n_unfit == 5


def test_of_an_old_file_its_bounds_go_and_what_trials_set_themselves_stays(tmp_path):
    space = {"x": {"grid": [0.2, 0.6, 0.9]}}
    content = document("with_size", space, sampler={"name": "grid"}, constraints=["size <= 3"])
    make(tmp_path / "one", content)
    loop, storage = loop_of(tmp_path / "one")
    loop.run()
    storage.close()
    table = tmp_path / "one.csv"
    Study(tmp_path / "one").frame().to_csv(table, index=False)
    for source in (tmp_path / "one", table):
        content = later(source, space, constraints=["size <= 9"])
        known, _ = known_trials(configure(content, TESTS))
        assert [set(one.constraints) for one in known] == [{"size <= 9", "small"}] * 3
        assert [one.constraints["size <= 9"] for one in known] == pytest.approx([-7, -3, 0])


def test_a_bound_alone_is_known_from_its_column(tmp_path):
    lines = [{"x": "0.5", "loss": "1", "constraint:size <= 3": "-1", "constraint:size <= 4": "-2"}]
    content = later(write_csv(tmp_path / "old.csv", lines), constraints=["size <= 3"])
    known, _ = known_trials(configure(content, TESTS))
    assert [dict(one.constraints) for one in known] == [{"size <= 3": -1.0}]


def test_an_exported_table_comes_back_whole(tmp_path):
    space = {
        "k": {"choice": [None, "a"]},
        "n": {"choice": [None, 8, 16], "when": "k == 'a'"},
        "flag": {"choice": [True, False]},
        "rate": {"choice": [0.5, 1], "when": "k == 'a'"},
        "x": {"float": [0.0, 1.0]},
    }
    budget = {"trials": 40}
    make(tmp_path / "one", document(params=space, budget=budget, sampler={"name": "random"}))
    loop, storage = loop_of(tmp_path / "one")
    loop.run()
    storage.close()
    table = tmp_path / "one.csv"
    Study(tmp_path / "one").frame().to_csv(table, index=False)
    known, n_unfit = known_trials(configure(later(table, space), TESTS))
    assert [dict(one.values) for one in known] == [r.params for r in Study(tmp_path / "one").rows()]
    assert n_unfit == 0
    assert {str(one.values.get("n", "absent")) for one in known} == {"None", "8", "16", "absent"}


def test_a_table_from_a_spreadsheet_begins_with_a_mark_of_its_encoding(tmp_path):
    (tmp_path / "old.csv").write_bytes(b"\xef\xbb\xbfx,loss\r\n0.5,2\r\n")
    ((one,), _) = known_trials(configure(later(tmp_path / "old.csv"), TESTS))
    assert (one.values["x"], one.objectives) == (0.5, [2.0])


def test_names_that_an_exported_table_has_itself_keep_their_values(tmp_path):
    space = {"number": {"float": [0.0, 1.0]}, "x": {"float": [0.0, 1.0]}}
    lines = [
        {"number": "7", "state": "finished", "feasible": "True", "param:number": "0.25",
         "x": "0.5", "loss": "2", "metric:cost_s": "9", "cost_s": "3"}
    ]  # fmt: skip
    path = write_csv(tmp_path / "old.csv", lines)
    ((one,), _) = known_trials(configure(later(path, space), TESTS))
    assert one.values == {"number": 0.25, "x": 0.5}
    assert (one.metrics["cost_s"], one.cost_s) == (9.0, 3.0)
    del lines[0]["param:number"]
    path = write_csv(tmp_path / "old.csv", lines)
    with pytest.raises(ConfigError, match="do not tell of number"):
        known_trials(configure(later(path, space), TESTS))


def test_an_empty_cell_after_one_that_makes_no_sense_leaves_its_line_out(tmp_path):
    space = {"n": {"int": [1, 3]}, "k": {"choice": [None, "a"], "when": "n > 1"}}
    lines = [{"n": n, "k": "", "loss": "1"} for n in ("many", "2", "1")]
    found = known_trials(configure(later(write_csv(tmp_path / "old.csv", lines), space), TESTS))
    assert [dict(one.values) for one in found[0]] == [{"n": 2, "k": None}, {"n": 1}]
    assert found[1] == 1


def test_a_path_is_looked_for_beside_the_file_as_well(tmp_path):
    write_csv(tmp_path / "old.csv", LINES)
    content = later("old.csv", PARAMS)
    assert len(known_trials(configure(content, str(tmp_path)))[0]) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "study.warm_start: .*old.csv: no such file or study folder"),
        ("", "holds no line below its head"),
        ("x,loss\n7,2\n", "the 1 finished trials of .* do not lie in this space"),
        ("y,loss\n1,2\n", "the 1 finished trials of .* do not tell of x; compare names"),
        ("x;loss\n0.5;2\n", "do not tell of x, loss; compare names and ranges"),
        ("x,accuracy\n0.5,2\n", "do not tell of loss; compare names and ranges"),
        ("x,x,loss\n0.5,0.6,2\n", "old.csv: has two columns named 'x'"),
    ],
)
def test_what_cannot_be_taken_in_is_refused(tmp_path, text, words):
    path = tmp_path / "old.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        known_trials(configure(later(path), TESTS))


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"study.warm_start: .*no study there"):
        known_trials(configure(later(tmp_path), TESTS))
