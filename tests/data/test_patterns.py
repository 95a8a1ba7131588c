"""Bars, exclusive or and patterns; and MNIST in 16 x 16 pixels."""

from pathlib import Path

import numpy as np
import pytest

from spiketune.config.training import Dataset
from spiketune.data.mnist import MnistFiles
from spiketune.data.mnist_16 import mnist_16, shrunk
from spiketune.data.patterns import bars, generate, xor
from spiketune.data.registry import load, no_progress


def test_a_bar_is_three_pixels_in_one_of_three_directions() -> None:
    pictures, labels = bars()
    assert (pictures.sum(axis=(1, 2)) == 3).all()
    assert len({picture.tobytes() for picture in pictures}) == 8
    for picture, label in zip(pictures, labels, strict=True):
        lying, standing = (picture.sum(axis=1) == 3).any(), (picture.sum(axis=0) == 3).any()
        assert (lying, standing) == (label == 0, label == 1)


def test_exclusive_or_tells_whether_bits_differ() -> None:
    bits, labels = xor()
    assert ((bits[:, 0] != bits[:, 1]) == (labels == 1)).all()
    assert (bits[:, :2] + bits[:, 2:] == 1.0).all()


@pytest.mark.parametrize("name", ["bars", "xor", "pattern"])
def test_samples_are_balanced_noisy_and_the_same_for_a_seed(name: str) -> None:
    first, again, other = generate(name, 60, 1), generate(name, 60, 1), generate(name, 60, 2)
    assert np.array_equal(first["inputs"], again["inputs"])
    assert not np.array_equal(first["inputs"], other["inputs"])
    assert len(set(np.bincount(first["labels"]))) == 1
    assert 0.0 <= first["inputs"].min() < first["inputs"].max() <= 1.0
    splits = load(Dataset(name=name))
    assert (len(splits.train), len(splits.validation)) == (1200, 300)


def test_shrinking_keeps_grey_and_takes_the_middle() -> None:
    assert (shrunk(np.full((3, 28, 28), 77, np.uint8)) == 77).all()
    picture = np.zeros((1, 28, 28), np.uint8)
    picture[0, :2], picture[0, 2, 2] = 255, 90
    found = shrunk(picture)[0]
    assert found[0, 0] == round(90 * (1 / 1.5) ** 2)
    assert found.sum() == found[0, 0]


def test_small_mnist_is_made_from_the_files_of_mnist(tmp_path: Path) -> None:
    from .test_mnist import idx

    rng, names = np.random.default_rng(0), ("train", "t10k")
    for name in names:
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 256, (9, 28, 28))))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx(np.arange(9) % 3))
    import hashlib

    sums = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in tmp_path.iterdir()}
    data_set = mnist_16(MnistFiles(sums, mirrors=("http://127.0.0.1:9/",)))
    config = Dataset(name="mnist-16", root=str(tmp_path))
    assert data_set.prepare is not None
    data_set.prepare(config, no_progress)
    part = data_set.labelled(config)
    assert part.shape == (16, 16)
    assert part.labels.tolist() == [0, 1, 2] * 3
    assert len(data_set.test(config)) == 9
