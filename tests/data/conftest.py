"""A cache folder of each test's own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SPIKETUNE_CACHE", str(folder))
    monkeypatch.delenv("SPIKETUNE_DATA", raising=False)
    monkeypatch.delenv("SPIKETUNE_MNIST_URL", raising=False)
    return folder
