"""Whether this process is a rank of an MPI job, told by what its launcher left behind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

# Size, rank and size on this machine, as Open MPI, MPICH and Intel MPI, and MVAPICH tell them.
_LAUNCHERS: Final = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("PMI_SIZE", "PMI_RANK", "MPI_LOCALNRANKS"),
    ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_LOCAL_SIZE"),
)
_LOCAL_RANKS: Final = (
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "MV2_COMM_WORLD_LOCAL_RANK",
)
_PREFIXES: Final = ("OMPI_", "PMIX_", "PMI_", "PRTE_", "MPI_LOCAL", "MV2_", "HYDRA_", "HYDI_")


def ranks(environment: Mapping[str, str] = os.environ) -> tuple[int, int, int]:
    """Ranks in the MPI job, number of this one, and ranks on this machine; (1, 0, 1) without."""
    for names in _LAUNCHERS:
        size, rank, local = (environment.get(name, "") for name in names)
        if size.isdigit() and rank.isdigit():
            return int(size), int(rank), int(local) if local.isdigit() else int(size)
    return 1, 0, 1


def local_rank(environment: Mapping[str, str] = os.environ) -> int:
    """Number of this rank among those on this machine; its rank where nobody tells."""
    for name in _LOCAL_RANKS:
        if environment.get(name, "").isdigit():
            return int(environment[name])
    return ranks(environment)[1]


def without_ranks(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that does not belong to the MPI job."""
    return {k: v for k, v in environment.items() if not k.startswith(_PREFIXES)}
