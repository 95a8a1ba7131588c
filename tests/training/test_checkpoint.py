"""Checkpoints: whole, or clearly not."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from spiketune.training.checkpoint import Checkpoint, load, restore, save, tensors_of


def trained(seed: int, kind: type[torch.optim.Optimizer] = torch.optim.Adam):  # type: ignore[no-untyped-def]
    network = nn.Linear(3, 2)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(generator=generator)
    optimizer = kind(network.parameters(), lr=0.1)  # type: ignore[call-arg]
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return network, optimizer


def test_tensors_and_facts_come_back(tmp_path: Path) -> None:
    facts = {"epoch": 3, "best": float("inf"), "history": [{"loss": 0.1}]}
    tensors = {"a": torch.arange(3.0), "b": torch.tensor(2)}
    save(tmp_path / "sub" / "c.safetensors", Checkpoint(tensors, facts))
    found = load(tmp_path / "sub" / "c.safetensors")
    assert found.facts == facts
    assert all(torch.equal(found.tensors[name], tensors[name]) for name in tensors)
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["c.safetensors"]


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD])
def test_a_restored_optimizer_takes_the_same_next_step(kind: type[torch.optim.Optimizer]) -> None:
    network, optimizer = trained(0, kind)
    other, its_optimizer = trained(1, kind)
    restore(tensors_of(network, optimizer), other, its_optimizer)
    for each, steps in ((network, optimizer), (other, its_optimizer)):
        steps.zero_grad()
        each(torch.ones(1, 3)).square().sum().backward()
        steps.step()
    assert torch.equal(network.weight, other.weight)


def test_a_copy_does_not_change_with_the_network() -> None:
    network, optimizer = trained(0)
    before = tensors_of(network, optimizer)["network.weight"].clone()
    taken = tensors_of(network, optimizer)
    optimizer.step()
    assert torch.equal(taken["network.weight"], before)


@pytest.mark.parametrize("length", [0, 4, 60, -1])
def test_a_torn_file_is_named(tmp_path: Path, length: int) -> None:
    path = tmp_path / "c.safetensors"
    save(path, Checkpoint({"a": torch.arange(3.0)}, {"epoch": 1}))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"c\.safetensors is not a whole checkpoint"):
        load(path)


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    save_file({"a": torch.arange(3.0)}, tmp_path / "c.safetensors")
    with pytest.raises(ValueError, match="is not a whole checkpoint"):
        load(tmp_path / "c.safetensors")


def test_a_checkpoint_of_another_network_is_refused() -> None:
    network, optimizer = trained(0)
    other = nn.Linear(4, 2)
    with pytest.raises(ValueError, match="of another network"):
        restore(tensors_of(network, optimizer), other, torch.optim.Adam(other.parameters()))
