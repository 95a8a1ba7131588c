"""enqueue, warm start and narrow from the command line."""

import json

import yaml

from spiketune.api import Study


def test_a_configuration_put_in_the_queue_is_tried_next(cli, file):
    assert cli("run", file(study={"budget": {"trials": 2}}))[0] == 0
    status, out, err = cli("enqueue", "runs/mine", "x=2.5e-1", "--json")
    assert status == 0
    assert json.loads(out) == {"trial": 2, "values": {"x": 0.25}}
    assert "resume runs/mine --add-trials 1" in err
    assert cli("resume", "runs/mine", "--add-trials", "1")[0] == 0
    rows = Study("runs/mine").rows()
    assert [r.params["x"] for r in rows[2:]] == [0.25]


def test_a_value_outside_the_space_is_refused(cli, file):
    assert cli("run", file(study={"budget": {"trials": 1}}))[0] == 0
    for given, words in (
        ("x=2", "outside"),
        ("y=1", "No parameter named 'y'"),
        ("x", "name=value"),
    ):
        status, _, err = cli("enqueue", "runs/mine", given)
        assert status == 2
        assert words in err
    assert len(Study("runs/mine").rows()) == 1


def test_a_narrowed_search_runs_and_starts_from_the_earlier_trials(cli, file, tmp_path):
    assert cli("run", file(study={"budget": {"trials": 10}}))[0] == 0
    status, out, _ = cli("narrow", "runs/mine", "--top", "30%")
    assert status == 0
    document = yaml.safe_load(out)
    low, high = document["trial"]["params"]["x"]["float"]
    assert 0.0 <= low < high < 1.0
    (tmp_path / "next.yaml").write_text(out)
    assert cli("run", "next.yaml", "--set", "study.budget.trials=2")[0] == 0
    rows = Study("runs/mine-narrowed").rows()
    imported = [r for r in rows if "imported from" in r.details]
    assert len(imported) >= 3
    assert len(rows) == len(imported) + 2
    assert all(low <= r.params["x"] <= high for r in rows)


def test_an_export_of_one_search_starts_another(cli, file):
    assert cli("run", file(study={"budget": {"trials": 4}}))[0] == 0
    assert cli("export", "runs/mine", "--format", "csv", "-o", "old.csv")[0] == 0
    study = {"budget": {"trials": 1}, "warm_start": "old.csv"}
    assert cli("run", file(name="again.yaml", study=study))[0] == 0
    assert len(Study("runs/again").rows()) == 5


def test_a_warm_start_from_nowhere_is_refused_before_a_folder_is_made(cli, file, tmp_path):
    status, _, err = cli("run", file(study={"warm_start": "gone.csv"}))
    assert status == 2
    assert "study.warm_start: gone.csv: no such file" in err
    assert not (tmp_path / "runs").exists()
