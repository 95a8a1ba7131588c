"""The exponential of negative numbers, for loops that are to use vector instructions.

That of the C library is a call per number, which keeps a loop from them. Here
exp(x) = 2^n * exp(f) with n = round(x / ln 2), and exp(f) is a Taylor polynomial on
|f| <= ln(2) / 2: within 2 units in the last place.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

_LOG2_E: Final = 1.0 / math.log(2.0)
# ln 2 in two parts, the first with so few digits that its product with n is exact.
_LN2_HIGH_32, _LN2_LOW_32 = np.float32(0.693359375), np.float32(-2.12194440e-4)
_LN2_HIGH_64, _LN2_LOW_64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Added to a number, these leave its nearest integer in the lowest bits.
_SHIFT_32, _SHIFT_64 = np.float32(1.5 * 2**23), 1.5 * 2.0**52
_LOG2_E_32: Final = np.float32(_LOG2_E)
# Below these the power of two would be subnormal.
_LOWEST_32, _LOWEST_64 = np.float32(-87.0), -708.0
_C32: Final = tuple(np.float32(1.0 / math.factorial(k)) for k in range(8))
_C64: Final = tuple(1.0 / math.factorial(k) for k in range(14))


def _power_code(typing_context: Any, shifted: Any) -> Any:
    """2 ** n for n + _SHIFT: n, in the lowest bits, becomes the exponent."""
    size, mantissa, bias = (32, 23, 127) if shifted.bitwidth == 32 else (64, 52, 1023)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        integer = ir.IntType(size)
        n = builder.add(builder.bitcast(arguments[0], integer), ir.Constant(integer, bias))
        power = builder.shl(n, ir.Constant(integer, mantissa))
        return builder.bitcast(power, arguments[0].type)

    return shifted(shifted), code


_two_to_the: Any = intrinsic(_power_code)


def exp_negative(x: float) -> float:
    """exp(x) for x <= 0, in compiled loops only; below -87 (float32) or -708 that of these."""
    raise NotImplementedError("for compiled loops only; elsewhere use math.exp")


@overload(exp_negative)
def _exp_negative(x: Any) -> Any:
    return _single if x == types.float32 else _double


def _single(x: Any) -> Any:
    x = x if x > _LOWEST_32 else _LOWEST_32
    shifted = x * _LOG2_E_32 + _SHIFT_32
    n = shifted - _SHIFT_32
    f = (x - n * _LN2_HIGH_32) - n * _LN2_LOW_32
    p = (_C32[7] * f + _C32[6]) * f + _C32[5]
    p = ((p * f + _C32[4]) * f + _C32[3]) * f + _C32[2]
    return ((p * f + _C32[1]) * f + _C32[0]) * _two_to_the(shifted)


def _double(x: Any) -> Any:
    x = x if x > _LOWEST_64 else _LOWEST_64
    shifted = x * _LOG2_E + _SHIFT_64
    n = shifted - _SHIFT_64
    f = (x - n * _LN2_HIGH_64) - n * _LN2_LOW_64
    p = (_C64[13] * f + _C64[12]) * f + _C64[11]
    p = ((p * f + _C64[10]) * f + _C64[9]) * f + _C64[8]
    p = ((p * f + _C64[7]) * f + _C64[6]) * f + _C64[5]
    p = ((p * f + _C64[4]) * f + _C64[3]) * f + _C64[2]
    return ((p * f + _C64[1]) * f + _C64[0]) * _two_to_the(shifted)
