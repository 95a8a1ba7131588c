"""Short lists put into order inside compiled loops, without memory of their own."""

from __future__ import annotations

from typing import Any, Final

from spiketune.snn.kernels.cpu import compiled

# Up to so many, moving them one by one beats merging.
_RUN: Final = 24


@compiled(None)
def sort_indices(keys: Any, order: Any, n: int, spare: Any) -> None:
    """Sort the first `n` indices in `order` from the smallest key on; equal ones stay in order.

    Args:
        keys: Of all indices.
        order: Indices, sorted in place.
        n: How many of them.
        spare: Overwritten, as long as `order`.
    """
    for first in range(0, n, _RUN):
        for i in range(first, min(first + _RUN, n)):
            own, k = order[i], i
            key = keys[own]
            while k > first and keys[order[k - 1]] > key:
                order[k] = order[k - 1]
                k -= 1
            order[k] = own
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
