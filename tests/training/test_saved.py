"""Networks that come back from a file as they were."""

from pathlib import Path

import pytest
import torch

from spiketune.training.batches import on_device
from spiketune.training.checkpoint import Checkpoint, save
from spiketune.training.evaluation import evaluate
from spiketune.training.saved import load_network, save_network
from spiketune.training.trainer import Trainer

from .sections import splits, trial


def test_a_network_comes_back_with_its_section_and_measures_the_same(tmp_path: Path) -> None:
    config = trial(neuron={"beta": "uniform", "learn_beta": True}, training={"epochs": 2})
    trainer = Trainer(config, splits(), seed=1, study_seed=0)
    outcome = trainer.run()
    save_network(tmp_path / "n.safetensors", trainer.network, config)
    network, found_config = load_network(tmp_path / "n.safetensors")
    assert found_config == config
    assert network.names == ("hidden", "out")
    data = on_device(splits().validation, torch.device("cpu"), found_config.dataset)
    found = evaluate(network, data, found_config, study_seed=0)
    assert found.metrics["accuracy"] == outcome.metrics["validation_accuracy"]
    assert found.metrics["loss"] == outcome.metrics["validation_loss"]


def test_a_file_without_a_network_is_named(tmp_path: Path) -> None:
    save(tmp_path / "c.safetensors", Checkpoint({"a": torch.zeros(1)}, {"epoch": 1}))
    with pytest.raises(ValueError, match=r"c\.safetensors holds no network"):
        load_network(tmp_path / "c.safetensors")
