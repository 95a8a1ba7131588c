"""Which device a training gets."""

import pytest
import torch

from spiketune.errors import DeviceError
from spiketune.training.devices import resolve_device


def have(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_a_gpu_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str
) -> None:
    have(monkeypatch, cuda=cuda, mps=mps)
    assert resolve_device("auto").type == expected


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    have(monkeypatch, cuda=False, mps=False)
    with pytest.raises(DeviceError, match=rf"trial\.device: '{name}' was asked for.*`cpu`"):
        resolve_device(name)  # type: ignore[arg-type]


def test_the_processor_is_always_there() -> None:
    assert resolve_device("cpu").type == "cpu"
