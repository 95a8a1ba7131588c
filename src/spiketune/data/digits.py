"""scikit-learn's handwritten digits: 1,797 images of 8 x 8 pixels, no download.

The set has no official test part. A fifth of each class, drawn with a constant seed, is test
data, whatever the configuration says; a quarter of the rest is the usual validation split, so
that 60 / 20 / 20 % results.

Source: Alpaydin & Kaynak (1998), "Optical Recognition of Handwritten Digits", UCI.
"""

from __future__ import annotations

import numpy as np

from spiketune.config.training import Dataset
from spiketune.data.cache import Arrays, cached
from spiketune.data.registry import DataSet
from spiketune.data.splits import Labelled, stratified

_TEST_SEED = 20_000  # never changes: results on the test part stay comparable
_TEST_SHARE = 0.2
_FULL_SCALE = 16.0


def _read() -> Arrays:
    from sklearn.datasets import load_digits  # slow to import, and needed once per machine

    images, labels = load_digits(return_X_y=True)
    is_test = stratified(labels, _TEST_SHARE, np.random.default_rng(_TEST_SEED))
    return {
        "inputs": images.astype(np.uint8),
        "labels": labels.astype(np.int64),
        "is_test": is_test,
    }


def _part(test: bool) -> Labelled:
    arrays = cached("digits-v1", _read)
    which = np.flatnonzero(arrays["is_test"] == test)
    images = arrays["inputs"][which].reshape(-1, 8, 8)
    return Labelled(images, arrays["labels"][which], _FULL_SCALE)


def _labelled(config: Dataset) -> Labelled:
    return _part(test=False)


def _test(config: Dataset) -> Labelled:
    return _part(test=True)


DIGITS = DataSet(
    name="digits",
    summary="scikit-learn's 8 x 8 handwritten digits, 10 classes, 1,797 images, no download",
    labelled=_labelled,
    test=_test,
    usual_share=0.25,
)
