"""Which parameters mattered for which objective."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import optuna
import plotly.graph_objects as go
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState, create_trial
from plotly.subplots import make_subplots

from spiketune.report.palette import BLUE
from spiketune.report.plots.looks import escaped, note, styled, thinned
from spiketune.report.summary import StudySummary
from spiketune.space import Space
from spiketune.space.distributions import stored_distribution, to_stored
from spiketune.study.records.results import TrialRow

MIN_TRIALS = 8
_MAX_TRIALS = 200  # the forest behind fANOVA takes seconds beyond that, and learns little more
_N_TREES = 32
_SEED = 0


@dataclass(frozen=True, slots=True)
class Importance:
    """Share of an objective's variance that each parameter explains.

    Attributes:
        shares: By parameter, largest first, adding up to 1; empty if there is no telling.
        why_not: Why there is no telling.
        left_out: Parameters that some trials lack; they cannot be compared with the others.
    """

    shares: dict[str, float]
    why_not: str = ""
    left_out: tuple[str, ...] = ()


def importances(summary: StudySummary) -> go.Figure:
    """Importance of each parameter for each objective, by fANOVA; a note where it cannot be told.

    Source: Hutter et al. (2014), "An Efficient Approach for Assessing Hyperparameter Importance".
    """
    found = {name: importance(summary, name) for name in summary.objectives}
    told = {name: result for name, result in found.items() if result.shares}
    if not told:
        return note(" ".join(f"{name}: {result.why_not}" for name, result in found.items()))
    titles = [escaped(name) for name in told]
    figure = make_subplots(1, len(told), subplot_titles=titles, horizontal_spacing=0.3 / len(told))
    short = summary.short_names
    for column, result in enumerate(told.values(), start=1):
        names = list(reversed(result.shares))
        figure.add_trace(_bars([short[name] for name in names], result, names), row=1, col=column)
        figure.update_xaxes(range=[0, 1.12], title_text="share of the variance", col=column)
    rows = max(len(result.shares) for result in told.values())
    styled(figure, height=130 + 30 * rows, showlegend=False)
    figure.update_yaxes(showgrid=False)
    if remark := _remark(found, short):
        place = {"x": 0, "y": 0, "yshift": -58, "yanchor": "top", "xref": "paper", "yref": "paper"}
        figure.add_annotation(text=escaped(remark), showarrow=False, xanchor="left", **place)
        figure.update_layout(margin={"b": 96}, height=170 + 30 * rows)
    return figure


def importance(summary: StudySummary, objective: str) -> Importance:
    """What fANOVA makes of the trials at full fidelity for one objective."""
    rows = [row for row in summary.rows if row.full and objective in row.objectives]
    rows = thinned(_inside(rows, summary.space), _MAX_TRIALS)
    if len(rows) < MIN_TRIALS:
        return Importance(
            {}, f"at least {MIN_TRIALS} finished trials are needed, {len(rows)} are there."
        )
    names = [name for name in summary.space if all(name in row.params for row in rows)]
    left_out = tuple(name for name in summary.space if name not in names)
    varied = [name for name in names if len({str(row.params[name]) for row in rows}) > 1]
    if not varied:
        return Importance({}, "no parameter took two values in all trials.", left_out)
    values = [row.objectives[objective] for row in rows]
    if max(values) - min(values) == 0:
        return Importance({}, "every trial has the same value.", left_out)
    try:
        shares = _fanova(rows, varied, values, summary.space)
    except (ValueError, RuntimeError) as error:  # Optuna's evaluators refuse odd data
        return Importance({}, f"fANOVA gave up ({error}).", left_out)
    return Importance(shares, "", left_out)


def _fanova(
    rows: Sequence[TrialRow], names: Sequence[str], values: Sequence[float], space: Space
) -> dict[str, float]:
    distributions = {name: stored_distribution(space[name]) for name in names}
    with _quiet():
        study = optuna.create_study()
        for row, value in zip(rows, values, strict=True):
            params = {name: to_stored(space[name], row.params[name]) for name in names}
            study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE,
                    params=params,
                    distributions=distributions,
                    value=value,
                )
            )
        found = get_param_importances(
            study, evaluator=FanovaImportanceEvaluator(n_trees=_N_TREES, seed=_SEED)
        )
    return {name: float(share) for name, share in found.items() if share == share}


def _inside(rows: Sequence[TrialRow], space: Space) -> list[TrialRow]:
    """Trials whose values lie in the space; a foreign writer's need not."""
    return [
        row
        for row in rows
        if all(value in space[name] for name, value in row.params.items() if name in space)
    ]


def _bars(labels: Sequence[str], result: Importance, names: Sequence[str]) -> go.Bar:
    shares = [result.shares[name] for name in names]
    return go.Bar(
        x=shares,
        y=[escaped(label) for label in labels],
        orientation="h",
        marker={"color": BLUE},
        text=[f"{share:.4f}" for share in shares],
        textposition="outside",
        cliponaxis=False,
        hovertext=[escaped(name) for name in names],
        hovertemplate="%{hovertext}: %{x:.4f}<extra></extra>",
    )


def _remark(found: dict[str, Importance], short: dict[str, str]) -> str:
    parts = [f"{name}: {result.why_not}" for name, result in found.items() if result.why_not]
    left_out = dict.fromkeys(name for result in found.values() for name in result.left_out)
    if left_out:
        names = ", ".join(short[name] for name in left_out)
        parts.append(f"Not ranked, as some trials lack them: {names}.")
    return " ".join(parts)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna says when a study is created; nobody asked for this one."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
