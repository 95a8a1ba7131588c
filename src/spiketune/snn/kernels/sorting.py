"""Short lists put into order inside compiled loops, without memory of their own."""

from __future__ import annotations

from typing import Any, Final

from spiketune.snn.kernels.cpu import compiled

# Up to so many, moving them one by one beats merging.
_RUN: Final = 24


@compiled(None)
def sort_indices(keys: Any, order: Any, spare: Any) -> None:
    """Fill `order` with the indices of `keys` from the smallest on; equal ones keep their order.

    Args:
        keys: (n,).
        order: Filled, (n,).
        spare: Overwritten, (n,).
    """
    n = len(keys)
    for first in range(0, n, _RUN):
        for i in range(first, min(first + _RUN, n)):
            key, k = keys[i], i
            while k > first and keys[order[k - 1]] > key:
                order[k] = order[k - 1]
                k -= 1
            order[k] = i
    width = _RUN
    while width < n:
        for first in range(0, n, 2 * width):
            middle, last = min(first + width, n), min(first + 2 * width, n)
            if middle == last or keys[order[middle - 1]] <= keys[order[middle]]:
                continue  # in order already
            spare[first:middle] = order[first:middle]
            left, right = first, middle
            for k in range(first, last):
                if left == middle:
                    break
                if right < last and keys[order[right]] < keys[spare[left]]:
                    order[k] = order[right]
                    right += 1
                else:
                    order[k] = spare[left]
                    left += 1
        width *= 2
