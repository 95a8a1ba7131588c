"""When configurations are asked for: whenever a worker is free, by generations, by the queueful.

A sampler learns of results when it is asked. Results are written down as they come in every
mode; what differs is how many configurations are asked for on the same results.
"""

from __future__ import annotations

from spiketune.config.study import Returns


def n_to_ask(returns: Returns, n_workers: int, n_running: int) -> int:
    """Configurations to ask for in a row, now that a worker is free and none is ready.

    Args:
        returns: `asynchronous`: each on the newest results. `synchronous`: a generation of one
            per worker, once the last one has ended to its last trial. `flexible`: as many, as
            soon as those asked before have all been started, so that no worker waits and a model
            is fitted once for all of them.
        n_workers: Trials that can run at once.
        n_running: Trials that run.
    """
    if returns == "asynchronous":
        return 1
    if returns == "synchronous":
        return 0 if n_running else n_workers
    return n_workers
