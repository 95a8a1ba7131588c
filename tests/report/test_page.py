"""The page: one file that loads nothing, whatever the study holds."""

import json
import re
import shutil
import subprocess
from functools import cache
from html import unescape
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs

from spiketune.errors import InputError
from spiketune.report.page import page, write_page
from spiketune.report.page_data import columns, embedded
from spiketune.report.summary import StudySummary
from spiketune.space import Choice, Space
from spiketune.study.records.results import TrialRow
from tests.report.studies import LR, finished, summary, synthetic

EVIL = "</script><script>alert(1)</script><b>&\u2028"


def evil() -> StudySummary:
    rows = [
        TrialRow(
            k,
            "finished",
            {EVIL: EVIL, "list": [1, EVIL]},
            {"<i>loss": float(k)},
            failure={"kind": EVIL, "message": EVIL},
            reports={"fidelity": [1, 2], EVIL: [0.5, 0.6]},
            attempts=({"worker": EVIL, "started_s": 1e9, "ended_s": 2e9, "outcome": EVIL},),
        )
        for k in range(9)
    ]
    space = Space({EVIL: Choice([EVIL, "b"])})
    record = {"label": EVIL, "seeds": [1], "metrics": {EVIL: [1.0]}}
    facts = {"name": EVIL, "sampler": EVIL, "budget": EVIL, "constraints": [EVIL]}
    return summary(
        rows, {"<i>loss": "minimize"}, space, retrained=[record], provenance={EVIL: EVIL}, **facts
    )


def foreign() -> StudySummary:
    """A study that plain Optuna wrote: no metrics, no attempts, parameters of its own."""
    rows = [TrialRow(k, "finished", {"x": k / 9}, {"value": float(k)}) for k in range(9)]
    return summary(rows, {"value": "minimize"}, Space({}))


STUDIES = {
    "empty": summary,
    "one trial": lambda: summary([finished(0, 0.9, 100.0)]),
    "only failures": lambda: summary(
        [TrialRow(k, "failed", {LR: 0.1}, failure={"kind": "oom", "message": "x"}) for k in (0, 1)]
    ),
    "one objective": lambda: synthetic(30, objectives=1),
    "two objectives": synthetic,
    "three objectives": lambda: synthetic(30, objectives=3),
    "foreign": foreign,
    "evil": evil,
}


@cache
def page_of(name: str) -> str:
    return page(STUDIES[name]())


def own(html: str) -> str:
    """The page without Plotly's code."""
    return html.replace(get_plotlyjs(), "")


def data(html: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("name", STUDIES)
def test_a_page_refers_to_nothing_outside_itself(name: str) -> None:
    text = own(page_of(name))
    assert "http://" not in text
    assert "https://" not in text
    assert not re.search(r"<link[^>]+href=\"(?!data:,)", text)
    assert not re.search(r"<(script|img|iframe)[^>]+src=", text)
    assert "@import" not in text
    assert "default-src 'none'" in text


@pytest.mark.parametrize("name", STUDIES)
def test_the_data_of_a_page_names_what_the_script_asks_for(name: str) -> None:
    document = data(page_of(name))
    names = {column["name"] for column in document["columns"]}
    assert {"trial", "state"} <= names
    assert {document["explore"]["x"], document["explore"]["y"]} <= names


def test_texts_of_a_study_cannot_become_markup() -> None:
    text = own(page_of("evil"))
    assert "<script>alert" not in text
    assert text.count("<script") == text.count("</script>") == 3


def test_embedded_json_reads_back_as_it_was() -> None:
    document = {"a": EVIL, "b": [1.5, None]}
    assert json.loads(embedded(document)) == document
    assert not {"<", "&", "\u2028"} & set(embedded(document))


def test_columns_hold_what_trials_have_and_blanks_where_they_lack_it() -> None:
    rows = [finished(0, 0.9, 1.0, params={"a.b": None}), finished(1, 0.8, float("inf"), params={})]
    found = {c["name"]: c for c in columns(summary(rows, space=Space({})))}
    assert found["a.b"]["label"] == "b"
    assert found["spikes_per_sample"]["values"] == [1.0, None]
    assert found["validation_accuracy"]["values"] == [0.9, 0.8]


def test_the_header_says_what_was_found_and_how_often_the_test_split_was_opened() -> None:
    text = own(page_of("two objectives"))
    assert "35 finished" in text
    assert "is the knee" in text
    assert "<b>once</b>" in text
    assert "0.9437 ± 0.0067" in text
    assert "seed: 0" in text
    assert "/secret" not in text


def test_an_older_page_is_replaced_and_no_draft_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    for study in (summary(), synthetic(8)):
        assert write_page(study, path) == path
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    assert "The search space" in path.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_page(summary(), tmp_path / "file" / "report.html")


def test_a_large_study_gives_a_page_below_eight_megabytes() -> None:
    assert len(page(synthetic(2000, epochs=40)).encode()) < 8e6


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(BROWSER is None, reason="needs chromium to look at the page")
@pytest.mark.parametrize("name", ["two objectives", "only failures"])
def test_a_browser_draws_the_page_without_an_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page_of(name), encoding="utf-8")
    dom, log = look_at(path, tmp_path / "profile")
    assert "CONSOLE" not in log
    drawn = set(re.findall(r'data-figure="(\w+)"[^>]*>\s*<div class="plot-container', dom))
    assert drawn == set(data(path.read_text(encoding="utf-8"))["figures"])
    rows = re.search(r'id="trials".*?</table>', dom, re.S)
    n_rows = rows[0].count("<tr") - 1 if rows else 0
    assert n_rows == min(100, len(STUDIES[name]().rows))


CLICKS = """<script>setTimeout(() => {
  const form = document.getElementById("explore-form");
  const plot = document.getElementById("explore-plot");
  const set = (name, value) => {
    form.elements.namedItem(name).value = value;
    form.elements.namedItem(name).dispatchEvent(new Event("change", { bubbles: true }));
  };
  const seen = {};
  set("x", "training.optimizer.learning_rate");
  set("y-low", "0.5"), set("y-high", "0.9");
  seen.x = plot.layout.xaxis.type;
  seen.y = plot.layout.yaxis.range;
  set("color", "network.neurons"), set("color-low", "10"), set("color-high", "100");
  seen.clip = [plot.data[0].marker.cmin, plot.data[0].marker.cmax];
  set("color", "training.optimizer.name");
  seen.colors = plot.data.map((trace) => trace.name);
  const filter = document.getElementById("trials-filter");
  filter.value = "silent";
  filter.dispatchEvent(new Event("input"));
  seen.count = document.getElementById("trials-count").textContent;
  filter.value = "";
  filter.dispatchEvent(new Event("input"));
  const headings = [...document.querySelectorAll("#trials th button")];
  const heading = headings.find((button) => button.textContent === "validation_accuracy");
  heading.click(), heading.click();
  seen.best = document.querySelector("#trials tbody tr").cells[2].textContent;
  document.body.dataset.seen = JSON.stringify(seen);
}, 500)</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="needs chromium to look at the page")
def test_the_explorer_and_the_table_answer_to_their_controls(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page_of("two objectives").replace("</body>", CLICKS), encoding="utf-8")
    dom, log = look_at(path, tmp_path / "profile", height_px=900)
    assert "CONSOLE" not in log
    found = re.search(r'data-seen="([^"]*)"', dom)
    assert found is not None
    study = STUDIES["two objectives"]()
    best = max(r.objectives["validation_accuracy"] for r in study.rows if r.objectives)
    assert json.loads(unescape(found[1])) == {
        "x": "log",
        "y": [0.5, 0.9],
        "clip": [1, 2],
        "colors": ["adam (25)", "sgd (27)"],
        "count": "4 of 60 trials",
        "best": f"{best:.4f}",
    }


def look_at(path: Path, profile: Path, height_px: int = 7500) -> tuple[str, str]:
    """The page's elements after its script ran, and what the browser logged."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    done = subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            *quiet,
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={profile}",
            f"--window-size=1400,{height_px}",
            "--virtual-time-budget=4000",
            "--enable-logging=stderr",
            "--v=0",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return done.stdout, done.stderr
