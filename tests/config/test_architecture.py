"""Network sections written out as layers with shapes."""

from typing import Any

import pytest

from spiketune.config.architecture import plan_layers
from spiketune.config.network import Network
from spiketune.errors import ConfigError

OUT = {"name": "out", "dense": "classes"}


def network(*layers: dict[str, Any], **rest: Any) -> Network:
    return Network.model_validate({"layers": [*layers, OUT], **rest})


def outputs(config: Network, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [plan.outputs for plan in plan_layers(config, shape, 10)]


def test_convolutions_and_pools_pass_on_channels_height_and_width() -> None:
    config = network(
        {"name": "c1", "conv": 12, "kernel": 5},
        {"name": "a1", "pool": "sum", "kernel": 2, "stride": 1},
        {"name": "c2", "conv": 32, "kernel": [3, 5], "stride": 2, "padding": [1, 0]},
        {"name": "a2", "pool": "max", "kernel": 2},
    )
    assert outputs(config, (1, 28, 28)) == [
        (12, 24, 24),
        (12, 23, 23),
        (32, 12, 10),
        (32, 6, 5),
        (10,),
    ]
    assert plan_layers(config, (1, 28, 28), 10)[-1].inputs == (32 * 6 * 5,)


def test_a_kernel_that_does_not_fit_its_input_is_named() -> None:
    config = network({"conv": 4, "kernel": 12}, {"name": "c2", "conv": 4, "kernel": 12})
    assert outputs(config, (1, 23, 23)) == [(4, 12, 12), (4, 1, 1), (10,)]
    with pytest.raises(ConfigError, match=r"layers\.c2: the kernel of 12 x 12 does not fit"):
        outputs(config, (1, 22, 22))


def test_a_convolution_of_a_plain_list_of_values_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"layers\.0: `conv` needs an input with height"):
        outputs(network({"conv": 4, "kernel": 3}), (700,))


@pytest.mark.parametrize("first", [{"dense": 9}, {"recurrent": 9}])
@pytest.mark.parametrize("second", [{"conv": 4}, {"pool": "max"}])
def test_pictures_cannot_come_after_a_list_of_values(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    later = {"name": "c", "kernel": 3, **second}
    with pytest.raises(ValueError, match=r"layers\.c: .* needs an input with height and .* '0'"):
        network(first, later)
    network(first, {**later, "repeat": 0})
    network({**first, "repeat": 0}, later)


@pytest.mark.parametrize(
    "layers",
    [
        [{"name": "a", "dense": 4}, {"name": "a", "dense": 5}],
        [{"name": "a_1", "dense": 4}, {"name": "a", "dense": 5, "repeat": 2}],
        [{"name": "out", "dense": 4}],
    ],
)
def test_a_name_is_given_to_one_layer_only(layers: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="is given to more than one layer"):
        network(*layers)


@pytest.mark.parametrize("pool", ["sum", "average", "max"])
def test_a_pool_takes_padding_up_to_half_its_kernel(pool: str) -> None:
    layer = {"name": "p", "pool": pool, "kernel": [4, 2]}
    assert outputs(network({**layer, "padding": [2, 1]}), (1, 8, 8))[0] == (1, 3, 5)
    with pytest.raises(ConfigError, match=r"p\.padding: 2 x 2 is more than half the kernel"):
        outputs(network({**layer, "padding": 2}), (1, 8, 8))


def test_the_output_layer_sends_at_once_and_the_others_after_the_transmission() -> None:
    plans = plan_layers(network({"dense": 5}, transmission_steps=2), (4,), 3)
    assert [plan.transmission_steps for plan in plans] == [2, 0]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"dense": 4, "conv": 3}, "a layer has one of .* got `dense` and `conv`"),
        ({"name": "x"}, "a layer has one of `dense`, `recurrent`, `conv`, `pool`, got none"),
        (
            {"dense": 4, "kernel": 3},
            "`kernel` does not go with `dense`; it is for `conv`",
        ),
        (
            {"pool": "sum", "kernel": 2, "weight_norm": True},
            "`weight_norm` does not go with `p",
        ),
        ({"conv": 4}, "`conv` needs `kernel`"),
        ({"conv": 4, "kernel": 2, "delay": {"kind": "synaptic"}}, "for `dense` layers"),
        ({"dense": 4, "neuron": {"kind": "integrator"}}, "an `integrator` never spikes"),
        ({"recurrent": 4, "neuron": {"kind": "alif"}}, "`recurrent` layer has `lif` neurons"),
        ({"dense": 4, "neuron": {"kind": "none"}, "delay": {"kind": "axonal"}}, "has no `delay`"),
        ({"dense": 4, "neuron": {"threshold_step": 0.1}}, "does not go with `kind: lif`.* alif"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(layer: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network(layer)


def test_a_layer_of_another_kind_takes_nothing_from_the_default_neuron() -> None:
    config = Network.model_validate(
        {
            "neuron": {"kind": "alif", "threshold_step": 0.2, "threshold": 3.0},
            "layers": [
                {"dense": 4},
                {"dense": 4, "neuron": {"threshold": 2.0}},
                {"dense": "classes", "neuron": {"kind": "integrator", "beta": 0.5}},
            ],
        }
    )
    first, second, last = (config.neuron_of(layer) for layer in config.layers)
    assert (first.threshold, first.threshold_step) == (3.0, 0.2)
    assert (second.threshold, second.threshold_step) == (2.0, 0.2)
    assert (last.kind, last.threshold, last.beta) == ("integrator", 1.0, 0.5)


def test_a_network_that_never_spikes_is_refused() -> None:
    silent = {"layers": [{"dense": "classes", "neuron": {"kind": "integrator"}}]}
    with pytest.raises(ValueError, match="no layer has neurons that spike"):
        Network.model_validate(silent)
    left_out = {"layers": [{"dense": 4, "repeat": 0}, *silent["layers"]]}
    with pytest.raises(ValueError, match="no layer has neurons that spike"):
        Network.model_validate(left_out)


def test_a_section_survives_being_written_out_in_full() -> None:
    config = network(
        {"conv": 4, "kernel": 3, "delay": {"kind": "axonal"}},
        {"pool": "average", "kernel": 2, "neuron": {"kind": "none"}},
        {"dense": 7, "neuron": {"tau_mem_ms": 20.0}},
        neuron={"kind": "cuba", "tau_syn_ms": 5.0, "tau_mem_ms": 10.0},
    )
    again = Network.model_validate(config.model_dump(mode="json"))
    assert plan_layers(again, (1, 8, 8), 3) == plan_layers(config, (1, 8, 8), 3)
