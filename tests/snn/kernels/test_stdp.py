"""The kernel of spike-timing-dependent plasticity against its equations, step by step."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spiketune.snn.kernels.stdp import normalise, present

Neuron = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class Dynamics:
    """What the kernel is told beside the input; see `present`."""

    excitatory: Neuron = (-65.0, -60.0, -52.0, math.exp(-1 / 100), 5.0)
    inhibitory: Neuron = (-60.0, -45.0, -40.0, math.exp(-1 / 10), 2.0)
    strengths: tuple[float, float] = (22.5, 17.5)
    adaptation: tuple[float, float] = (0.7, math.exp(-1 / 300))
    rule: tuple[float, float, float] = (2e-2, 5e-2, 1.0)
    tau_trace: float = 20.0
    one_spike: bool = True


@dataclass
class Found:
    spikes: NDArray[Any]
    inhibitory: NDArray[Any]
    weights: NDArray[Any]
    theta: NDArray[Any]


def run(
    inputs: NDArray[Any],
    weights: NDArray[Any],
    theta: NDArray[Any],
    dynamics: Dynamics,
    *,
    learn: bool = True,
) -> Found:
    T, B, _ = inputs.shape
    N = weights.shape[1]
    found = Found(
        np.zeros((T, B, N), np.uint8), np.zeros((B, N), np.int64), weights.copy(), theta.copy()
    )
    trace = np.exp(-np.arange(T) / dynamics.tau_trace)
    present(
        inputs.astype(np.float32), 0, found.weights, found.theta, dynamics.excitatory,
        dynamics.inhibitory, dynamics.strengths, dynamics.adaptation, dynamics.rule, trace,
        dynamics.one_spike, learn, found.spikes, found.inhibitory,
    )  # fmt: skip
    return found


def reference(
    inputs: NDArray[Any], weights: NDArray[Any], theta: NDArray[Any], d: Dynamics
) -> Found:
    """The equations, every neuron and every trace at every step."""
    T, B, n_inputs = inputs.shape
    N = weights.shape[1]
    w, theta = weights.copy(), theta.copy()
    rest, reset, threshold, decay, refractory = d.excitatory
    i_rest, i_reset, i_threshold, i_decay, i_refractory = d.inhibitory
    v, u = np.full((B, N), rest), np.full((B, N), i_rest)
    deaf, i_deaf = np.zeros((B, N)), np.zeros((B, N))
    x, y = np.zeros((B, n_inputs)), np.zeros((B, N))
    before, i_before = np.zeros((B, N)), np.zeros((B, N))
    spikes, i_counts = np.zeros((T, B, N)), np.zeros((B, N))
    fading = math.exp(-1 / d.tau_trace)
    for t in range(T):
        theta *= d.adaptation[1]
        others = i_before.sum(axis=1, keepdims=True) - i_before
        v = rest + decay * (v - rest) + (deaf <= 0) * (inputs[t] @ w - d.strengths[1] * others)
        excess = v - (threshold + theta)
        over = (excess >= 0) & (deaf <= 0)
        deaf = np.where(over, refractory, deaf - 1)
        v = np.where(over, reset, v)
        s = over.astype(float)
        if d.one_spike:
            best = np.where(over, excess, -np.inf).argmax(axis=1)
            s = s * (np.arange(N) == best[:, None])
        u = i_rest + i_decay * (u - i_rest) + (i_deaf <= 0) * d.strengths[0] * before
        i_s = (u >= i_threshold) & (i_deaf <= 0)
        i_deaf = np.where(i_s, i_refractory, i_deaf - 1)
        u = np.where(i_s, i_reset, u)
        x = np.where(inputs[t] > 0, 1.0, x * fading)
        y = np.where(s > 0, 1.0, y * fading)
        theta += d.adaptation[0] * s.sum(axis=0)
        w = np.maximum(0.0, w - d.rule[0] * inputs[t].T @ y)
        gained = d.rule[1] * x.T @ s
        w = np.where(gained > 0, np.minimum(d.rule[2], w + gained), w)
        spikes[t], i_counts = s, i_counts + i_s
        before, i_before = s, i_s.astype(float)
    return Found(spikes, i_counts, w, theta)


CASES = [
    Dynamics(),
    Dynamics(one_spike=False),
    Dynamics(strengths=(22.5, 0.0), one_spike=False),
    Dynamics(strengths=(300.0, 400.0), inhibitory=(-60.0, -45.0, -20.0, 0.999, 20.0)),
    Dynamics(excitatory=(-60.0, -60.0, -65.0, 0.99, 1.0)),  # spikes without input
    Dynamics(rule=(0.3, 0.4, 0.5)),  # weights at both ends
    Dynamics(adaptation=(0.0, 1.0), excitatory=(-65.0, -80.0, -60.0, 0.5, 0.0)),
]


@pytest.mark.parametrize("dynamics", CASES)
@pytest.mark.parametrize("shape", [(60, 1, 30, 10), (40, 3, 17, 5), (5, 2, 1, 1)])
def test_every_step_follows_the_equations(
    dynamics: Dynamics, shape: tuple[int, int, int, int]
) -> None:
    T, B, n_inputs, N = shape
    rng = np.random.default_rng(T)
    inputs = (rng.random((T, B, n_inputs)) < 0.2).astype(float)
    weights, theta = rng.uniform(0, 1.5, (n_inputs, N)), rng.uniform(0, 3, N)
    expected, found = (
        reference(inputs, weights, theta, dynamics),
        run(inputs, weights, theta, dynamics),
    )
    if n_inputs > 1:
        assert expected.spikes.sum() > 3
    assert np.array_equal(found.spikes, expected.spikes)
    assert np.array_equal(found.inhibitory, expected.inhibitory)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.theta, expected.theta, rtol=1e-12)


def test_weights_of_single_precision_give_the_same_to_rounding() -> None:
    rng = np.random.default_rng(3)
    inputs = (rng.random((50, 2, 40)) < 0.1).astype(float)
    weights = rng.uniform(0, 1, (40, 6))
    double = run(inputs, weights, np.zeros(6), Dynamics())
    single = run(inputs, weights.astype(np.float32), np.zeros(6), Dynamics())
    assert single.weights.dtype == np.float32
    assert np.array_equal(single.spikes, double.spikes)
    np.testing.assert_allclose(single.weights, double.weights, atol=1e-5)


def test_presenting_without_learning_changes_nothing_but_spikes_as_much() -> None:
    rng = np.random.default_rng(4)
    inputs = (rng.random((50, 3, 40)) < 0.2).astype(float)
    weights, theta = rng.uniform(0, 1, (40, 6)), rng.uniform(0, 3, 6)
    still = Dynamics(adaptation=(0.0, 1.0), rule=(0.0, 0.0, 1.0))
    frozen = run(inputs, weights, theta, Dynamics(), learn=False)
    assert np.array_equal(frozen.weights, weights)
    assert np.array_equal(frozen.theta, theta)
    assert np.array_equal(frozen.spikes, run(inputs, weights, theta, still).spikes)
    one_by_one = [
        run(inputs[:, b : b + 1], weights, theta, Dynamics(), learn=False) for b in (0, 1, 2)
    ]
    together = np.concatenate([one.spikes for one in one_by_one], axis=1)
    assert np.array_equal(frozen.spikes, together)


# One input, one neuron that spikes when it does.
EAGER = Dynamics(excitatory=(-65.0, -65.0, -64.0, 0.9, 0.0), adaptation=(0.0, 1.0))


def test_traces_decay_exponentially_between_the_spikes_of_a_pair() -> None:
    for wait in (1, 4, 11):
        inputs = np.zeros((20, 1, 2))
        inputs[3, 0, 0] = 1  # too weak for a spike
        inputs[3 + wait, 0, 1] = 1  # makes the neuron spike
        rule = (0.0, 0.05, 10.0)
        weights = np.array([[0.5], [5.0]])
        found = run(
            inputs,
            weights,
            np.zeros(1),
            Dynamics(EAGER.excitatory, adaptation=(0.0, 1.0), rule=rule),
        )
        assert found.spikes.sum() == 1
        gained = (found.weights - weights)[:, 0]
        assert gained == pytest.approx([0.05 * math.exp(-wait / 20.0), 0.05], rel=1e-12)


def test_an_input_after_the_spike_weakens_its_weight() -> None:
    inputs = np.zeros((20, 1, 2))
    inputs[2, 0, 1] = inputs[9, 0, 0] = 1
    rule = (0.05, 0.0, 10.0)
    weights = np.array([[0.5], [5.0]])
    found = run(
        inputs, weights, np.zeros(1), Dynamics(EAGER.excitatory, adaptation=(0.0, 1.0), rule=rule)
    )
    lost = (weights - found.weights)[:, 0]
    assert lost == pytest.approx([0.05 * math.exp(-7 / 20.0), 0.05], rel=1e-12)


def test_weights_stay_between_zero_and_the_largest() -> None:
    inputs = np.ones((30, 1, 4))
    for rule, end in (((1.0, 0.0, 1.0), 0.0), ((0.0, 0.5, 0.8), 0.8)):
        dynamics = Dynamics(EAGER.excitatory, rule=rule, adaptation=(0.0, 1.0))
        found = run(inputs, np.full((4, 1), 0.6), np.zeros(1), dynamics)
        assert found.weights == pytest.approx(np.full((4, 1), end))


def test_theta_grows_with_each_spike_and_decays_in_closed_form() -> None:
    inputs = np.zeros((40, 1, 1))
    inputs[[5, 20], 0, 0] = 1
    decay = math.exp(-1 / 50)
    dynamics = Dynamics(EAGER.excitatory, rule=(0.0, 0.0, 9.0), adaptation=(0.25, decay))
    found = run(inputs, np.array([[9.0]]), np.array([2.0]), dynamics)
    assert found.spikes[:, 0, 0].nonzero()[0].tolist() == [5, 20]
    expected = 2.0 * decay**40 + 0.25 * (decay**34 + decay**19)
    assert found.theta[0] == pytest.approx(expected, rel=1e-12)


def test_a_raised_threshold_takes_a_stronger_input() -> None:
    inputs = np.ones((1, 1, 1))
    still = Dynamics(adaptation=(0.0, 1.0), rule=(0.0, 0.0, 99.0))
    for weight, n_spikes in ((13.0 + 4.0 - 1e-9, 0), (13.0 + 4.0, 1)):
        found = run(inputs, np.array([[weight]]), np.array([4.0]), still)
        assert found.spikes.sum() == n_spikes


def test_the_neuron_furthest_above_its_threshold_wins_and_the_others_are_silenced() -> None:
    inputs = np.zeros((12, 1, 1))
    inputs[[0, 3, 6, 9], 0, 0] = 1
    weights = np.array([[20.0, 30.0, 25.0]])
    still = Dynamics(
        excitatory=(-65.0, -65.0, -52.0, 0.9, 2.0),
        strengths=(50.0, 40.0),
        adaptation=(0.0, 1.0),
        rule=(0.0, 0.0, 99.0),
    )
    found = run(inputs, weights, np.zeros(3), still)
    assert found.spikes[:, 0].sum(axis=0).tolist() == [0, 4, 0]
    assert found.inhibitory[0].tolist() == [0, 4, 0]


def test_inhibition_comes_two_steps_after_the_spike_that_caused_it() -> None:
    inputs = np.zeros((6, 1, 2))
    inputs[0, 0, 0] = 1  # the first neuron spikes at once
    inputs[2, 0, 1] = inputs[3, 0, 1] = 1  # just enough for the second, one step at a time
    for inhibition, when in ((0.0, [2]), (0.5, [3])):
        dynamics = Dynamics(
            excitatory=(-65.0, -65.0, -52.0, 0.0, 0.0),
            strengths=(30.0, inhibition),
            adaptation=(0.0, 1.0),
            rule=(0.0, 0.0, 99.0),
        )
        found = run(inputs, np.diag([13.0, 13.2]), np.zeros(2), dynamics)
        assert found.spikes[:, 0, 1].nonzero()[0].tolist()[:1] == when


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normalised_weights_sum_up_to_the_total_and_keep_their_ratios(dtype: Any) -> None:
    weights = np.random.default_rng(0).random((50, 7)).astype(dtype)
    weights[:, 3] = 0
    before = weights.copy()
    normalise(weights, 78.4)
    sums = [78.4] * 7
    sums[3] = 0.0
    assert weights.sum(axis=0) == pytest.approx(sums, rel=1e-5)
    assert weights[:, 0] / weights[0, 0] == pytest.approx(before[:, 0] / before[0, 0], rel=1e-5)
