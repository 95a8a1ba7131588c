"""Classes told from spikes, on counts made by hand."""

import math

import numpy as np
import pytest

from spiketune.snn.readouts import (
    NO_CLASS,
    Bigrams,
    activity_scores,
    assignments,
    class_rates,
    cross_entropy,
    successive_pairs,
)

# Two classes. Neurons 0 and 1 answer to class 0, neuron 2 to class 1, neuron 3 to nothing.
COUNTS = np.array([[4, 1, 0, 0], [2, 3, 2, 0], [0, 1, 6, 0]])
LABELS = np.array([0, 0, 1])
RATES = np.array([[3.0, 0.0], [2.0, 1.0], [1.0, 6.0], [0.0, 0.0]])


def test_rates_are_spikes_per_sample_of_each_class() -> None:
    assert class_rates(COUNTS, LABELS, 2).tolist() == RATES.tolist()


def test_a_class_without_samples_has_no_rates() -> None:
    assert class_rates(COUNTS, LABELS, 3)[:, 2].tolist() == [0.0] * 4


def test_a_neuron_belongs_to_the_class_it_spikes_most_for_or_to_none() -> None:
    assert assignments(RATES).tolist() == [0, 0, 1, NO_CLASS]


def test_all_activity_is_the_mean_over_the_neurons_of_a_class() -> None:
    seen = np.array([[2, 4, 5, 9], [1, 0, 0, 0], [0, 0, 0, 7]])
    assert activity_scores(seen, RATES).tolist() == [[3.0, 5.0], [0.5, 0.0], [0.0, 0.0]]


def test_votes_weigh_a_spike_with_the_share_of_the_class_in_the_neuron_s_rates() -> None:
    seen = np.array([[2, 3, 7, 9]])
    scores = activity_scores(seen, RATES, weighted=True)
    assert scores[0] == pytest.approx([(2 * 1.0 + 3 * 2 / 3) / 2, 7 * 6 / 7])


def test_the_two_readouts_may_disagree() -> None:
    rates = np.array([[5.0, 4.9], [0.0, 3.0]])  # the first neuron hardly tells
    seen = np.array([[6, 4]])
    assert activity_scores(seen, rates).argmax() == 0
    assert activity_scores(seen, rates, weighted=True).argmax() == 1


def test_a_class_without_neurons_scores_nothing() -> None:
    assert activity_scores(np.array([[3, 3]]), np.array([[1.0, 0.0], [2.0, 0.0]]))[0, 1] == 0.0


def spikes(*events: tuple[int, int, int], steps: int = 6, samples: int = 2) -> np.ndarray:
    """Spikes given as step, sample, neuron; of three neurons."""
    raster = np.zeros((steps, samples, 3), np.uint8)
    for event in events:
        raster[event] = 1
    return raster


def test_pairs_are_successive_spikes_of_one_sample_in_the_order_of_time() -> None:
    raster = spikes((0, 0, 2), (1, 1, 1), (3, 0, 0), (3, 0, 1), (5, 0, 0), (4, 1, 1))
    samples, keys = successive_pairs(raster)
    assert samples.tolist() == [0, 0, 0, 1]
    assert [divmod(int(key), 3) for key in keys] == [(2, 0), (0, 1), (1, 0), (1, 1)]


def test_samples_with_fewer_than_two_spikes_have_no_pairs() -> None:
    samples, keys = successive_pairs(spikes((0, 0, 1), (2, 1, 1)))
    assert samples.size == keys.size == 0


def test_two_grams_count_pairs_by_class_and_sum_them_up() -> None:
    keys, labels = np.array([7, 2, 7, 7, 5]), np.array([1, 0, 0, 1, 1])
    found = Bigrams.counted(keys, labels, 2)
    assert found.keys.tolist() == [2, 5, 7]
    assert found.counts.tolist() == [[1.0, 0.0], [0.0, 1.0], [1.0, 2.0]]
    # Sample 0: twice 7; sample 1: 2 and one never seen; sample 2: nothing.
    scores = found.scores(np.array([0, 0, 1, 1]), np.array([7, 7, 2, 8]), 3)
    assert scores.tolist() == [[2.0, 4.0], [1.0, 0.0], [0.0, 0.0]]


def test_two_grams_that_saw_nothing_score_nothing() -> None:
    empty = Bigrams.counted(np.zeros(0, np.int64), np.zeros(0, np.int64), 4)
    assert empty.scores(np.array([0]), np.array([3]), 2).tolist() == [[0.0] * 4] * 2


def test_the_order_of_spikes_tells_what_their_number_does_not() -> None:
    first, second = spikes((0, 0, 0), (1, 0, 1), samples=1), spikes((0, 0, 1), (1, 0, 0), samples=1)
    (_, one), (_, other) = successive_pairs(first), successive_pairs(second)
    known = Bigrams.counted(np.concatenate([one, other]), np.array([0, 1]), 2)
    for raster, label in ((first, 0), (second, 1)):
        samples, keys = successive_pairs(raster)
        assert known.scores(samples, keys, 1).argmax() == label


def test_the_loss_is_the_cross_entropy_of_the_shares_with_a_floor() -> None:
    scores = np.array([[3.0, 1.0], [3.0, 1.0], [0.0, 0.0], [0.0, 2.0]])
    found = cross_entropy(scores, np.array([0, 1, 1, 0]), floor=0.1)
    shares = [0.9 * 0.75 + 0.05, 0.9 * 0.25 + 0.05, 0.5, 0.05]
    assert found == pytest.approx([-math.log(share) for share in shares])
