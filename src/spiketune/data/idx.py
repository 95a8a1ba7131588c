"""Reading IDX files, the format of MNIST: a magic number, the sizes, then the bytes."""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spiketune.errors import DatasetError

_UNSIGNED_BYTES = 0x08


def read_idx(path: Path, sha256: str) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, compressed (`.gz`) or not.

    Args:
        path: The file.
        sha256: Of the uncompressed content.

    Raises:
        DatasetError: If the file is cut short, or is not what the checksum says.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            f"{path}: damaged or cut short ({error}); delete the file and fetch it again"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DatasetError(
            f"{path}: wrong checksum, expected {sha256[:16]}..., got {found[:16]}...; delete the "
            "file and fetch it again"
        )
    return _array(path, content)


def _array(path: Path, content: bytes) -> NDArray[np.uint8]:
    if len(content) < 4 or content[:3] != bytes([0, 0, _UNSIGNED_BYTES]):
        raise DatasetError(f"{path}: not an IDX file of unsigned bytes")
    n_axes = content[3]
    start = 4 + 4 * n_axes
    shape = struct.unpack(f">{n_axes}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise DatasetError(
            f"{path}: {len(content) - start} bytes of data where {math.prod(shape)} are announced"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
