"""How kernels number resets and spike gradients."""

from __future__ import annotations

from typing import Final

RESETS: Final = {"subtract": 0, "zero": 1, "none": 2}
# How a backward has the derivative of the spike: given as an array, or as a `SimpleForm`.
KINDS: Final = {
    "given": 0,
    "squared": 1,
    "absolute": 2,
    "hat": 3,
    "exponential": 4,
    "logistic": 5,
}
