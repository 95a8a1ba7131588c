"""scikit-learn's digits."""

import numpy as np
import pytest

from spiketune.config.training import Dataset, Validation
from spiketune.data.digits import DIGITS
from spiketune.data.registry import load

GOLDEN_SUM = 114198
GOLDEN_LABELS = [4, 9, 2, 3, 0, 8, 2, 0, 3, 1, 5, 0]


def test_sixty_twenty_twenty_percent_result_without_further_words() -> None:
    splits, test = load(Dataset(name="digits")), DIGITS.test(Dataset(name="digits"))
    assert (len(splits.train), len(splits.validation), len(test)) == (1078, 360, 359)
    assert splits.train.shape == (8, 8)


def test_the_test_part_is_the_same_for_every_configuration() -> None:
    config = Dataset(name="digits", validation=Validation(share=0.5, seed=3))
    usual, other = DIGITS.test(Dataset(name="digits")), DIGITS.test(config)
    assert np.array_equal(usual.inputs, other.inputs)
    # Recorded: test results of different versions are of the same samples.
    assert usual.inputs.sum() == GOLDEN_SUM
    assert usual.labels[:12].tolist() == GOLDEN_LABELS


def test_the_test_part_has_every_class_in_like_shares() -> None:
    counts = np.bincount(DIGITS.test(Dataset(name="digits")).labels)
    assert counts.min() / counts.max() == pytest.approx(1.0, abs=0.1)
