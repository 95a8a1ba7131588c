"""The unit cube and back.

d  parameters of the space, in its order
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spiketune.space.space import Space

_INACTIVE = 0.5  # the middle: an inactive parameter lies as near as can be to every value


def to_unit(space: Space, values: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Place of a configuration in the unit cube.

    Returns:
        (d,), each in [0, 1] on the parameter's own scale; 0.5 where inactive.
    """
    return np.array(
        [space[name].to_unit(values[name]) if name in values else _INACTIVE for name in space.order]
    )


def from_unit(space: Space, point: npt.NDArray[np.float64]) -> dict[str, Any]:
    """The configuration at a point of the unit cube.

    Args:
        space: The search space.
        point: (d,), in the order of `space.order`; inactive coordinates are passed over.
    """
    values: dict[str, Any] = {}
    for name, unit in zip(space.order, point, strict=True):
        if space.is_active(name, values):
            values[name] = space[name].from_unit(float(unit))
    return values
