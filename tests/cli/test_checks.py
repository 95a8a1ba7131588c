"""Verbs that doubt a search."""

import json

import pytest


@pytest.fixture
def searched(cli, file):
    params = {"x": {"float": [0.0, 1.0]}}
    cli("run", file("noisy", params=params, study={"budget": {"trials": 4}}))
    return "runs/mine"


def test_confirm_recommends_and_all_that_shows_a_study_says_so(cli, searched, tmp_path):
    _, _, err = cli("best", searched)
    assert "Not confirmed" in err
    _, out, _ = cli("best", searched, "--json", "--top", 1)
    assert json.loads(out)[0]["confirmed"] is None
    status, out, err = cli("confirm", searched, "--top", 2, "--seeds", 3)
    assert status == 0
    assert "recommended" in out
    assert err.count(" seed ") == 6
    assert "next: spiketune retrain runs/mine --trial" in err
    status, out, err = cli("confirm", searched, "--top", 2, "--seeds", 3, "--json")
    found = json.loads(out)
    assert " seed " not in err  # nothing is trained twice
    assert [len(c["objectives"]["loss"]["values"]) for c in found["candidates"]] == [3, 3]
    _, out, _ = cli("best", searched, "--json", "--top", 4)
    confirmed = [row["confirmed"] for row in json.loads(out)]
    assert sum(c is not None for c in confirmed) == 2
    assert sum(bool(c and c["recommended"]) for c in confirmed) == 1
    _, out, _ = cli("status", searched)
    assert f"Confirmed over 3 seeds: trial {found['recommended']} is recommended" in out
    cli("report", searched)
    page = (tmp_path / "runs/mine/report.html").read_text()
    assert "The best over seeds" in page


def test_confirm_of_no_study_is_an_error_of_the_user(cli):
    status, _, err = cli("confirm", "runs/none")
    assert status == 2
    assert "no study there" in err


def test_replay_says_that_all_trials_are_the_same_or_which_is_not(cli, searched, tmp_path):
    status, _, err = cli("replay", searched)
    assert (status, "all 4 trials are those that a fresh" in err) == (0, True)
    file = tmp_path / searched / "study.yaml"
    file.write_text(file.read_text().replace("seed: 0", "seed: 1"))
    status, _, err = cli("replay", searched)
    assert status == 1
    assert "the first is trial 0" in err
    assert "in the journal" in err
    status, out, _ = cli("replay", searched, "--json")
    assert json.loads(out)["different"][0] == 0
