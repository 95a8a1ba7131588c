"""The Yin-Yang set, against numbers recorded from the original generator."""

import numpy as np
import pytest

from spiketune.config.training import Dataset
from spiketune.data.registry import load
from spiketune.data.yin_yang import DOT, YANG, YIN, class_of, generate

# The first samples of the set of size 1,000 and seed 40, as spike times that run from 0.15 for
# 0 to 2.0 for 1, with the labels; and sums over all 1,000.
SPIKE_TIMES = [
    [0.583078794351923, 0.8931912040883598, 1.566921205648077, 1.25680879591164],
    [1.5399586906212814, 1.016248660645979, 0.6100413093787186, 1.133751339354021],
    [0.4059018182982733, 1.2062648469513628, 1.7440981817017267, 0.9437351530486372],
    [0.3552081402620608, 1.222667323144994, 1.7947918597379393, 0.927332676855006],
]
LABELS = [2, 2, 1, 1, 1, 2, 2, 0, 2, 2, 0, 1, 1, 1, 1, 1, 1, 2, 0, 1]
SUMS = (2126.0188662985865, 491691)


def test_the_recorded_samples_are_reproduced() -> None:
    found = generate(1000, seed=40)
    times = 0.15 + found["inputs"] * (2.0 - 0.15)
    assert times[: len(SPIKE_TIMES)].tolist() == [
        pytest.approx(row, abs=1e-12) for row in SPIKE_TIMES
    ]
    assert found["labels"][: len(LABELS)].tolist() == LABELS
    assert float(times[:, :2].sum()) == pytest.approx(SUMS[0], abs=1e-9)
    assert int((found["labels"] * np.arange(1000)).sum()) == SUMS[1]


@pytest.mark.parametrize(
    ("point", "label"),
    [
        ((0.25, 0.5), DOT),
        ((0.75, 0.5), DOT),
        ((0.25, 0.7), YIN),
        ((0.5, 0.9), YIN),
        ((0.75, 0.7), YANG),
        ((0.5, 0.1), YANG),
        ((0.25, 0.3), YIN),
    ],
)
def test_a_point_has_the_class_of_its_place(point: tuple[float, float], label: int) -> None:
    assert class_of(*point) == label


def test_the_splits_have_their_sizes_and_balanced_classes() -> None:
    splits = load(Dataset(name="yin-yang"))
    assert (len(splits.train), len(splits.validation), splits.n_classes) == (5000, 1000, 3)
    assert np.bincount(splits.train.labels) / 5000 == pytest.approx([1 / 3] * 3, abs=0.02)


def test_each_point_comes_with_its_mirror_image() -> None:
    inputs = generate(50, seed=1)["inputs"]
    assert inputs[:, 2:] == pytest.approx(1.0 - inputs[:, :2])
