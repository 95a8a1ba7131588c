"""Learning curves written out by hand."""

from spiketune.fidelity import Curve, Point
from spiketune.fidelity.arrivals import Arrivals


def curve(number, *gains, start=1, maximum=float("inf"), violation=0.0, finished=False, data=1.0):
    """A trial that reported these gains (numbers, or tuples of them) at start, start + 1, ..."""
    made = Curve(number, maximum, data, finished)
    for fidelity, gain in enumerate(gains, start=start):
        values = gain if isinstance(gain, tuple) else (gain,)
        made.add(float(fidelity), Point(values, violation))
    return made


def arrivals(points):
    """Trials 0, 1, ... that came to a rung with these points."""
    return Arrivals.of(Curve(number, points={1.0: point}) for number, point in enumerate(points))
