"""Libraries of spiking networks, imported as their users do."""

import warnings
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def snntorch() -> ModuleType:
    return pytest.importorskip("snntorch")


@pytest.fixture(scope="session")
def spikingjelly() -> ModuleType:
    return pytest.importorskip("spikingjelly.activation_based")


@pytest.fixture(scope="session")
def norse() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it scripts functions when imported
        return pytest.importorskip("norse.torch")
