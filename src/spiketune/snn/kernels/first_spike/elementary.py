"""Exponentials and logarithms of rows of numbers, in vector instructions.

The compiler takes numbers one by one through the C library's; here all take the same steps, to
about one unit in the last place. Powers of two are made and read as bits.

Source: Cody and Waite (1980), "Software manual for the elementary functions".
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from spiketune.snn.kernels.cpu import compiled

# ln 2 in two parts, the first of which has few enough bits that its multiples are exact.
_HIGH: Final = 6.93147180369123816490e-01
_LOW: Final = 1.90821492927058770002e-10
# Adding it rounds to an integer, which then stands in the lowest bits.
_ROUND: Final = 6755399441055744.0
_EXPONENT: Final = 52
_LARGEST: Final = 709.0
_SMALLEST: Final = -708.0
# The bits of sqrt(1/2), and those of the exponent field's number for 0.
_ROOT_HALF: Final = np.int64(0x3FE6A09E667F3BCD)
_MANTISSA: Final = np.int64(0x000FFFFFFFFFFFFF)
_MAGIC: Final = np.int64(0x4330000000000000)
_TWO_52: Final = 4503599627370496.0


@compiled(None)
def exp_row(x: Any, y: Any, spare: Any) -> None:
    """Fill `y` with exp(x): 0 below -708, infinite above 709; (n,) each."""
    n = len(x)
    for b in range(n):
        rounded = x[b] * (1.0 / math.log(2.0)) + _ROUND
        k = rounded - _ROUND
        r = (x[b] - k * _HIGH) - k * _LOW
        p = 1.0 / 479001600.0
        p = p * r + 1.0 / 39916800.0
        p = p * r + 1.0 / 3628800.0
        p = p * r + 1.0 / 362880.0
        p = p * r + 1.0 / 40320.0
        p = p * r + 1.0 / 5040.0
        p = p * r + 1.0 / 720.0
        p = p * r + 1.0 / 120.0
        p = p * r + 1.0 / 24.0
        p = p * r + 1.0 / 6.0
        p = p * r + 0.5
        y[b] = 1.0 + (r + r * r * p)
        spare[b] = rounded
    bits, powers = y.view(np.int64), spare.view(np.int64)
    for b in range(n):
        bits[b] += powers[b] << _EXPONENT
    for b in range(n):
        value = y[b] if x[b] <= _LARGEST else math.inf
        y[b] = value if x[b] >= _SMALLEST else 0.0


@compiled(None)
def log_row(x: Any, y: Any, spare: Any) -> None:
    """Fill `y` with the logarithms of `x`, normal and positive; (n,) each."""
    n = len(x)
    given, mantissas, powers = x.view(np.int64), y.view(np.int64), spare.view(np.int64)
    for b in range(n):
        # From sqrt(1/2) on, so that the mantissa lies about 1.
        shifted = given[b] - _ROOT_HALF + (np.int64(1023) << _EXPONENT)
        powers[b] = ((shifted >> _EXPONENT) & np.int64(0x7FF)) | _MAGIC
        mantissas[b] = (shifted & _MANTISSA) + _ROOT_HALF
    for b in range(n):
        k = spare[b] - (_TWO_52 + 1023.0)
        s = (y[b] - 1.0) / (y[b] + 1.0)
        z = s * s
        p = 2.0 / 21.0
        p = p * z + 2.0 / 19.0
        p = p * z + 2.0 / 17.0
        p = p * z + 2.0 / 15.0
        p = p * z + 2.0 / 13.0
        p = p * z + 2.0 / 11.0
        p = p * z + 2.0 / 9.0
        p = p * z + 2.0 / 7.0
        p = p * z + 2.0 / 5.0
        p = p * z + 2.0 / 3.0
        y[b] = k * _HIGH + (2.0 * s + (s * z * p + k * _LOW))
