"""A Cholesky factor that grows a row at a time.

n  rows so far
"""

from __future__ import annotations

from typing import Final, final

import numpy as np
from scipy.linalg.blas import dtpsv

from spiketune.samplers.arrays import Array

_LEAST_PIVOT: Final = 1e-10  # of a row that rounding makes a copy of earlier ones
_FIRST_CAPACITY: Final = 64


@final
class PackedCholesky:
    """The lower factor L of a growing matrix, its rows one after the other.

    A row goes to the end, so appending copies nothing: O(n^2) for the solve, O(n) to store.
    Rows of L are columns of its transpose, which is the packed format of BLAS.
    """

    def __init__(self) -> None:
        self._rows: Array = np.empty(_FIRST_CAPACITY * (_FIRST_CAPACITY + 1) // 2)
        self.n = 0

    def set_from(self, matrix: Array) -> None:
        """Factor a whole matrix.

        Args:
            matrix: Symmetric and positive definite, (n, n).

        Raises:
            numpy.linalg.LinAlgError: If it is not positive definite.
        """
        factor = np.linalg.cholesky(matrix)
        self.n = 0
        self._reserve(len(matrix))
        self.n = len(matrix)
        self._rows[: self._size(self.n)] = factor[np.tri(self.n, dtype=bool)]

    def append(self, column: Array, corner: float) -> None:
        """Add one row and column to the matrix.

        Args:
            column: Covariances with the rows so far, (n,).
            corner: The new diagonal element.
        """
        row = self.half_solve(column)
        pivot = max(corner - float(row @ row), _LEAST_PIVOT * corner)
        self._reserve(self.n + 1)
        start = self._size(self.n)
        self._rows[start : start + self.n] = row
        self._rows[start + self.n] = np.sqrt(pivot)
        self.n += 1

    def truncate(self, n: int) -> None:
        """Forget the rows after the first n."""
        self.n = n

    def half_solve(self, right: Array) -> Array:
        """L^-1 right, for one right-hand side (n,)."""
        if not self.n:
            return np.zeros(0)
        return np.asarray(dtpsv(self.n, self._rows, right, lower=0, trans=1))

    def solve(self, right: Array) -> Array:
        """(L L')^-1 right, for one right-hand side (n,)."""
        if not self.n:
            return np.zeros(0)
        half = dtpsv(self.n, self._rows, right, lower=0, trans=1)
        return np.asarray(dtpsv(self.n, self._rows, half, lower=0, trans=0, overwrite_x=1))

    def dense(self) -> Array:
        """L as a matrix, (n, n)."""
        factor = np.zeros((self.n, self.n))
        factor[np.tri(self.n, dtype=bool)] = self._rows[: self._size(self.n)]
        return factor

    @staticmethod
    def _size(n: int) -> int:
        return n * (n + 1) // 2

    def _reserve(self, n: int) -> None:
        if self._size(n) > len(self._rows):
            grown = np.empty(self._size(n + n // 2))
            grown[: self._size(self.n)] = self._rows[: self._size(self.n)]
            self._rows = grown
