"""Tables of trials for the terminal."""

import io

from rich.console import Console
from rich.table import Table

from spiketune.report.summary import StudySummary
from spiketune.report.tables import trial_table
from tests.report.studies import LR, finished, summary, synthetic


def shown(table: Table) -> str:
    console = Console(file=io.StringIO(), width=220, color_system=None)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def front_table(summary: StudySummary) -> Table:
    return trial_table(summary, summary.front, "Front")


def names(table: Table) -> list[str]:
    return [str(column.header).replace("\n", "") for column in table.columns]


def test_long_names_are_broken_over_lines_so_that_no_number_is_cut() -> None:
    table = front_table(study())
    assert any("\n" in str(column.header) for column in table.columns)
    console = Console(file=io.StringIO(), width=130, color_system=None)
    console.print(table)
    assert "…" not in console.file.getvalue()  # type: ignore[attr-defined]


def study():
    rows = [
        finished(0, 0.80, 100.0),
        finished(1, 0.95, 900.0, params={LR: 0.0001}),
        finished(2, 0.90, 200.0, constraints={"silence": -0.03}),
        finished(3, 0.99, 50.0, constraints={"silence": 0.5}),
        finished(4, 0.70, 300.0),
    ]
    return summary(rows)


def test_the_front_table_holds_the_front_best_first_and_marks_the_knee() -> None:
    lines = [line for line in shown(front_table(study())).splitlines() if "0." in line]
    assert [line.split()[:2] for line in lines] == [["1", "0.9500"], ["knee", "2"], ["0", "0.8000"]]


def test_columns_are_named_in_short_and_numbers_are_compact() -> None:
    text = shown(front_table(study()))
    assert "learning_rate" in names(front_table(study()))
    assert "training." not in text
    assert "1.000e-04" in text


def test_numbers_are_right_aligned_and_words_are_not() -> None:
    table = trial_table(synthetic(), synthetic().ranked[:5], "Best")
    columns = dict(zip(names(table), [c.justify for c in table.columns], strict=True))
    assert columns["validation_accuracy"] == columns["neurons"] == "right"
    assert columns["optimizer.name"] == "left"


def test_markup_in_a_name_is_printed_as_it_is() -> None:
    table = front_table(summary([finished(0, 0.9, 1.0, params={"[red]x": "[/bold]"})]))
    assert "[red]x" in shown(table)
    assert "[/bold]" in shown(table)


def test_an_empty_study_has_a_table_that_says_so() -> None:
    assert "No feasible trial" in shown(front_table(summary()))
