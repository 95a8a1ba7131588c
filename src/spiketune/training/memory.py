"""Memory that a training process keeps once it has it."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

# Of <malloc.h>.
_TRIM_THRESHOLD: Final = -1
_MMAP_MAX: Final = -4
_NEVER: Final = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process reuse freed memory instead of handing it back to the system.

    A train step frees and takes the same large arrays again and again. The C library gives them
    back each time, and the system clears every page anew, which takes a convolutional network
    as long as its arithmetic. Meant for processes that end with their training.

    Returns:
        Whether the C library was told; only glibc knows how.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
