"""Best feasible accuracy against simulated hours, as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from search_logs import Setting, achieved
from search_runs import Run

mpl.use("agg")
import matplotlib.pyplot as plt

# Okabe and Ito's colours, which the colour-blind tell apart; peers are dashed.
STYLES: Mapping[str, tuple[str, str, str]] = {
    "cascbo": ("cascbo", "#0072B2", "-"),
    "nsga2+asha": ("nsga2, rungs", "#009E73", "-"),
    "islands": ("islands", "#CC79A7", "-"),
    "propulate+asha": ("Propulate, rungs", "#D55E00", "--"),
    "nsga2": ("NSGA-II", "#777777", "--"),
    "cmaes+asha": ("CMA-ES, rungs", "#56B4E9", "--"),
    "tpe": ("TPE", "#E69F00", "--"),
    "random": ("random", "#BBBBBB", "--"),
}
SPREAD = ("cascbo", "nsga2+asha", "propulate+asha")  # more bands than these hide each other
_FROM_HOURS = 0.25


def plot(
    out: Path,
    cache: Path,
    kept: Callable[[Path, str], Mapping[str, Mapping[int, Run]]],
    hours: float,
    seeds: Sequence[int],
) -> None:
    """Draw medians over worlds, with quartiles of some, for both settings side by side."""
    figure, axes = plt.subplots(1, 2, figsize=(10.0, 4.6), layout="constrained")
    times = np.geomspace(_FROM_HOURS, hours, 60)
    for axis, conservative in zip(axes, (False, True), strict=True):
        setting = Setting(Path(), conservative, False, hours)
        runs = kept(cache, setting.name)
        for name, (label, colour, line) in STYLES.items():
            chosen = [run for seed, run in runs.get(name, {}).items() if seed in seeds]
            if not chosen:
                continue
            curves = np.array([[100 * achieved(setting, run, h) for h in times] for run in chosen])
            low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
            axis.plot(times, middle, line, color=colour, label=label, linewidth=1.8)
            if name in SPREAD:
                axis.fill_between(times, low, high, color=colour, alpha=0.12, linewidth=0)
        axis.set(
            title=f"{'conservative' if conservative else 'mean'} setting",
            xlabel="simulated hours, 16 workers",
            xscale="log",
            xticks=[0.5, 1, 2, 3.5, 7, 14],
            xticklabels=["0.5", "1", "2", "3.5", "7", "14"],
            xlim=(_FROM_HOURS, hours),
            ylim=(84 if conservative else 87, 96.5 if conservative else 98),
        )
        axis.minorticks_off()
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("best feasible accuracy [%]")
    names = {
        label: h for a in axes for h, label in zip(*a.get_legend_handles_labels(), strict=True)
    }
    figure.legend(names.values(), names, frameon=False, loc="outside lower center", ncols=4)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=130)
    print(out)
