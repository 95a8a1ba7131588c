"""Named child seeds: adding a consumer of random numbers moves nobody else's."""

from __future__ import annotations

import hashlib


def child_seed(seed: int, *purpose: str | int) -> int:
    """Seed for one named purpose.

    Args:
        seed: The parent's seed.
        *purpose: What the numbers are for, e.g. `"trial", 12, "weights"`.

    Returns:
        An integer in [0, 2**31), which every generator in use here accepts.
    """
    text = "/".join([str(int(seed)), *(f"{type(part).__name__}:{part}" for part in purpose)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 33
