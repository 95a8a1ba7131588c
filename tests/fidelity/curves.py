"""Learning curves written out by hand."""

from spiketune.fidelity import Curve, Point


def curve(number, *gains, start=1, maximum=float("inf"), violation=0.0, finished=False, data=1.0):
    """A trial that reported these gains (numbers, or tuples of them) at start, start + 1, ..."""
    made = Curve(number, maximum, data, finished)
    for fidelity, gain in enumerate(gains, start=start):
        values = gain if isinstance(gain, tuple) else (gain,)
        made.add(float(fidelity), Point(values, violation))
    return made
