"""From the spikes of neurons that learned without labels to scores of the classes.

Neurons get their class from what they answer to. Letters: `T` time steps, `B` batch, `N`
neurons, `K` classes, `n` samples.

Source: Diehl & Cook (2015), Frontiers in Computational Neuroscience 9:99 (`all`); Hazan et al.
(2018), "BindsNET: A Machine Learning-Oriented Spiking Neural Networks Library in Python",
Frontiers in Neuroinformatics 12:89 (proportion weighting, n-grams).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NO_CLASS = -1


def class_rates(counts: Integers, labels: Integers, n_classes: int) -> Floats:
    """Spikes of each neuron per sample of each class.

    Args:
        counts: Spikes of each neuron, (n, N).
        labels: Class of each sample, (n,).
        n_classes: Number of classes K.

    Returns:
        (N, K); 0 for a class without samples.
    """
    rates = np.zeros((counts.shape[1], n_classes))
    for label in range(n_classes):
        of_class = counts[labels == label]
        if len(of_class):
            rates[:, label] = of_class.mean(axis=0)
    return rates


def assignments(rates: Floats) -> Integers:
    """The class each neuron spikes most for, (N,); `NO_CLASS` for one that never did.

    Args:
        rates: See `class_rates`, (N, K).
    """
    return np.where(rates.any(axis=1), rates.argmax(axis=1), NO_CLASS).astype(np.int64)


def activity_scores(counts: Integers, rates: Floats, *, weighted: bool = False) -> Floats:
    """Mean activity of the neurons of each class.

    Args:
        counts: Spikes of each neuron, (n, N).
        rates: See `class_rates`, (N, K).
        weighted: Whether a spike counts with the share that the neuron's class has in its rates
            (the readout `vote`), instead of in full (`all`).

    Returns:
        (n, K); 0 for a class without neurons.
    """
    classes = assignments(rates)
    members: Floats = (classes[:, None] == np.arange(rates.shape[1])).astype(float)
    if weighted:
        total = rates.sum(axis=1, keepdims=True)
        shares = np.divide(rates, total, out=np.zeros_like(rates), where=total > 0)
    else:
        shares = np.ones_like(rates)
    n_members = np.maximum(members.sum(axis=0), 1.0)
    return np.asarray(counts @ (members * shares / n_members))


def successive_pairs(spikes: NDArray[Any]) -> tuple[Integers, Integers]:
    """Pairs of neurons that spiked one right after the other in a sample.

    Spikes of one step follow each other by the neurons' numbers.

    Args:
        spikes: Zeros and ones, (T, B, N).

    Returns:
        Sample of each pair, and its key: N times the first neuron plus the second, (m,) each.
    """
    samples, _, neurons = np.nonzero(spikes.transpose(1, 0, 2))
    same = samples[1:] == samples[:-1]
    keys = neurons[:-1] * spikes.shape[2] + neurons[1:]
    return samples[1:][same], keys[same]


@dataclass(frozen=True, slots=True)
class Bigrams:
    """How often each pair of successive spikes came with each class: the readout `2gram`.

    Attributes:
        keys: Of the pairs seen, in order, (m,); see `successive_pairs`.
        counts: With which class, (m, K).
    """

    keys: Integers
    counts: Floats

    @classmethod
    def counted(cls, keys: Integers, labels: Integers, n_classes: int) -> Bigrams:
        """Count pairs with the labels of their samples, (m,) each."""
        known, where = np.unique(keys, return_inverse=True)
        counts = np.zeros((len(known), n_classes))
        np.add.at(counts, (where, labels), 1.0)
        return cls(known, counts)

    def scores(self, samples: Integers, keys: Integers, n_samples: int) -> Floats:
        """Sum, over the pairs of a sample, of how often each came with each class.

        Args:
            samples: Sample of each pair, (m,).
            keys: The pairs, (m,).
            n_samples: Number of samples n.

        Returns:
            (n, K).
        """
        scores = np.zeros((n_samples, self.counts.shape[1]))
        if len(self.keys):
            where = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
            seen = self.keys[where] == keys
            np.add.at(scores, samples[seen], self.counts[where[seen]])
        return scores


def cross_entropy(scores: Floats, labels: Integers, floor: float = 0.01) -> Floats:
    """Cross-entropy of the classes' shares in the scores.

    A share is `floor / K` at least, so that a wrong answer costs no more than log(K / floor); a
    sample without scores (a silent one) costs log(K).

    Args:
        scores: Not below zero, (n, K).
        labels: (n,).
        floor: Part of the shares that is spread over the classes evenly.

    Returns:
        (n,).
    """
    K = scores.shape[1]
    total = scores.sum(axis=1, keepdims=True)
    shares = np.divide(scores, total, out=np.full_like(scores, 1.0 / K), where=total > 0)
    of_label = shares[np.arange(len(labels)), labels]
    return np.asarray(-np.log((1.0 - floor) * of_label + floor / K))
