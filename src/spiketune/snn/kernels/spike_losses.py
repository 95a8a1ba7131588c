"""Losses on first spike times and their gradients, compiled. `B` batch, `K` classes."""

from __future__ import annotations

import math
from typing import Any, Final

from spiketune.snn.kernels.cpu import compiled

TTFS, TIME_MSE, SHIFT_INVARIANT_MSE = 0, 1, 2
COST_OF_SILENCE: Final = 100.0

_SIGNATURE: Final = [
    "void(float64[:,::1], int64[::1], int64, float64[::1], float64[::1], float64[:,::1])"
]


@compiled(_SIGNATURE)
def losses_and_gradients(
    times: Any, labels: Any, kind: int, scales: Any, losses: Any, gradients: Any
) -> None:
    """The loss of each sample, and its derivatives.

    Args:
        times: Spike times of the output, (B, K).
        labels: (B,).
        kind: Which loss.
        scales: Its two numbers (`xi`; `correct` and `wrong`; `gap`), then alpha and beta of what
            an early answer earns, alpha 0 for nothing; (4,).
        losses: Filled, (B,).
        gradients: Filled, (B, K).
    """
    n_classes = times.shape[1]
    alpha, beta = scales[2], scales[3]
    for b in range(times.shape[0]):
        label = labels[b]
        own, silent, first = times[b, label], False, math.inf
        for k in range(n_classes):
            gradients[b, k] = 0.0
            silent = silent or not math.isfinite(times[b, k])
            first = min(first, times[b, k])
        if not math.isfinite(own) or (silent and kind != TTFS):
            losses[b] = COST_OF_SILENCE
            continue
        loss = 0.0
        if kind == TTFS:
            xi, total = scales[0], 0.0
            for k in range(n_classes):
                if math.isfinite(times[b, k]):
                    gradients[b, k] = math.exp((first - times[b, k]) / xi)
                    total += gradients[b, k]
            loss = math.log(total) + (own - first) / xi
            for k in range(n_classes):
                gradients[b, k] *= -1.0 / (total * xi)
            gradients[b, label] += 1.0 / xi
        else:
            for k in range(n_classes):
                if kind == TIME_MSE:
                    off = times[b, k] - (scales[0] if k == label else scales[1])
                else:
                    off = times[b, k] - own - (0.0 if k == label else scales[0])
                    gradients[b, label] -= off
                gradients[b, k] += off
                loss += 0.5 * off * off
        if alpha > 0.0:
            early = alpha * math.exp(own / beta)
            loss += early
            gradients[b, label] += early / beta
        losses[b] = loss
