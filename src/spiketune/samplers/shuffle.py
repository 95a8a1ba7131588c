"""A permutation of 0 .. n - 1 that is computed number by number, however large n is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spiketune.seeding import child_seed

_ROUNDS: Final = 6


@dataclass(frozen=True, slots=True)
class Shuffle:
    """A Feistel network over the next even power of two, walked until it falls below n.

    Attributes:
        n: How many numbers.
        seed: Decides on the order.

    Source: Black and Rogaway (2002), "Ciphers with Arbitrary Finite Domains".
    """

    n: int
    seed: int

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < self.n:
            raise IndexError(index)
        half = max(1, ((self.n - 1).bit_length() + 1) // 2)
        value = self._mixed(index, half)
        while value >= self.n:
            value = self._mixed(value, half)
        return value

    def _mixed(self, value: int, half: int) -> int:
        left, right = value >> half, value & ((1 << half) - 1)
        for turn in range(_ROUNDS):
            left, right = right, left ^ self._hash(turn, right, half)
        return (left << half) | right

    def _hash(self, turn: int, value: int, n_bits: int) -> int:
        bits, place = 0, 0
        while 31 * place < n_bits:
            bits |= child_seed(self.seed, turn, value, place) << (31 * place)
            place += 1
        return bits & ((1 << n_bits) - 1)
