"""Watching whole models, against counts made by hand."""

import copy
import io
import logging
import math
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import spiketune
from spiketune.config.architecture import plan_layers
from spiketune.errors import InputError, UnknownNameError
from spiketune.snn.monitor import Monitor
from spiketune.snn.networks import SpikingNetwork
from spiketune.training.batches import on_device
from spiketune.training.evaluation import evaluate
from tests.training.sections import points, trial

from .monitoring.models import Accumulator, Looped, Threshold, dense

# Two samples; the hidden neuron is driven by the first input, the second output by that neuron.
INPUTS = torch.tensor([[0.6, 0.6], [0.0, 0.6]])
HIDDEN, OUT = [[5.0, 0.0]], [[-1.0], [5.0]]
BY_HAND = {  # over two steps
    "spikes_per_sample": (2 + 2) / 2,
    "silent_share": 0.5,
    "effective_macs_per_sample": 2 * 1 / 2,
    "effective_acs_per_sample": 2 * 2 / 2,
    "activation_sparsity": 1 - 4 / (3 * 2 * 2),
    "n_parameters": 4,
}


def snntorch_loop(snntorch: ModuleType) -> nn.Module:
    """States handed from step to step inside the model, as in snnTorch's tutorials."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = dense(HIDDEN), dense(OUT)
            self.lif1, self.lif2 = snntorch.Leaky(beta=0.0), snntorch.Leaky(beta=0.0)

        def forward(self, inputs: Tensor) -> Tensor:
            first, second = self.lif1.reset_mem(), self.lif2.reset_mem()
            recorded = []
            for _ in range(2):
                spikes, first = self.lif1(self.fc1(inputs), first)
                spikes, second = self.lif2(self.fc2(spikes), second)
                recorded.append(spikes)
            return torch.stack(recorded)

    return Net()


def run_loop(model: nn.Module, inputs: Tensor) -> None:
    model(inputs)


def snntorch_hidden(snntorch: ModuleType) -> nn.Module:
    """States hidden in the neurons, the loop over time outside."""

    def neuron() -> Any:
        return snntorch.Leaky(beta=0.0, init_hidden=True)

    return nn.Sequential(dense(HIDDEN), neuron(), dense(OUT), neuron())


def run_snntorch_hidden(model: nn.Module, inputs: Tensor) -> None:
    from snntorch import utils

    utils.reset(model)
    for _ in range(2):
        model(inputs)


def spikingjelly_net(mode: str) -> nn.Module:
    from spikingjelly.activation_based import functional, layer, neuron

    first, second = layer.Linear(2, 1, bias=False), layer.Linear(1, 2, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor(HIDDEN))
        second.weight.copy_(torch.tensor(OUT))
    model = nn.Sequential(first, neuron.IFNode(), second, neuron.IFNode())
    functional.set_step_mode(model, mode)
    return model


def run_spikingjelly_steps(model: nn.Module, inputs: Tensor) -> None:
    from spikingjelly.activation_based import functional

    for _ in range(2):
        model(inputs)
    functional.reset_net(model)


def run_spikingjelly_sequence(model: nn.Module, inputs: Tensor) -> None:
    from spikingjelly.activation_based import functional

    functional.reset_net(model)
    model(torch.stack([inputs, inputs]))


def norse_parameters(norse: ModuleType) -> Any:
    # Current and membrane follow the input at once.
    return norse.LIFParameters(tau_mem_inv=torch.tensor(1e3), tau_syn_inv=torch.tensor(1e3))


def norse_cells(norse: ModuleType) -> nn.Module:
    p = norse_parameters(norse)
    return norse.SequentialState(  # type: ignore[no-any-return]
        dense(HIDDEN), norse.LIFCell(p), dense(OUT), norse.LIFCell(p)
    )


def run_norse_cells(model: nn.Module, inputs: Tensor) -> None:
    state = None
    for _ in range(4):
        _, state = model(inputs, state)


def norse_sequence(norse: ModuleType) -> nn.Module:
    p = norse_parameters(norse)
    return norse.SequentialState(  # type: ignore[no-any-return]
        norse.Lift(dense(HIDDEN)), norse.LIF(p), norse.Lift(dense(OUT)), norse.LIF(p)
    )


def run_norse_sequence(model: nn.Module, inputs: Tensor) -> None:
    model(torch.stack([inputs] * 4))


@pytest.fixture(
    params=["snntorch loop", "snntorch hidden", "spikingjelly s", "spikingjelly m"],
)
def counted(request: pytest.FixtureRequest) -> tuple[nn.Module, Any]:
    """A model of each library with the weights above, and how a batch is run through it."""
    name: str = request.param
    library = request.getfixturevalue(name.split()[0])
    if name.startswith("spikingjelly"):
        mode = name[-1]
        run = run_spikingjelly_steps if mode == "s" else run_spikingjelly_sequence
        return spikingjelly_net(mode), run
    if name.endswith("loop"):
        return snntorch_loop(library), run_loop
    return snntorch_hidden(library), run_snntorch_hidden


def test_every_metric_is_as_counted_by_hand(counted: tuple[nn.Module, Any]) -> None:
    model, run = counted
    with spiketune.monitor(model) as watch, torch.no_grad():
        model.eval()
        run(model, INPUTS)
    assert watch.metrics() == pytest.approx(BY_HAND)
    hidden, out = watch.layers
    assert watch.firing_rates() == pytest.approx({hidden: 2 / 4, out: 2 / 8})
    assert watch.outputs == (out,)


def test_batches_add_up_smaller_and_empty_ones_too(counted: tuple[nn.Module, Any]) -> None:
    model, run = counted
    watch = spiketune.monitor(model.eval())
    for batch in (INPUTS, INPUTS[:0], INPUTS[1:], INPUTS):
        run(model, batch)
    expected = {
        "spikes_per_sample": 8 / 5,
        "silent_share": 3 / 5,
        "effective_acs_per_sample": 8 / 5,
    }
    found = watch.metrics()
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_training_counts_silent_samples_until_too_many_are(counted: tuple[nn.Module, Any]) -> None:
    model, run = counted
    watch = spiketune.monitor(model, share=0.3, n_train=6)
    assert watch.silence is None
    run(model, INPUTS)
    assert (watch.silent, watch.silence) == (False, pytest.approx(1 - 1 / 6 - 0.3))
    run(model, INPUTS)  # a silent third of the epoch is more than 0.3
    assert (watch.silent, watch.silence) == (True, pytest.approx(1 - 2 / 6 - 0.3))


def test_training_goes_through_batches_until_too_many_were_silent(
    counted: tuple[nn.Module, Any],
) -> None:
    model, run = counted
    watch = spiketune.monitor(model, share=0.3, n_train=6)
    n_run = 0
    for _ in range(3):  # epochs
        for batch in watch.until_silent([INPUTS] * 3):
            run(model, batch)
            n_run += 1
    assert n_run == 2
    run(model, INPUTS)  # what comes after the stop changes the constraint no more
    assert watch.silence == pytest.approx(1 - 2 / 6 - 0.3)


def test_the_mode_may_change_between_any_two_batches(counted: tuple[nn.Module, Any]) -> None:
    model, run = counted
    watch = spiketune.monitor(model, share=0.9, n_train=4)
    for _ in range(2):
        run(model.train(), INPUTS)
        run(model.eval(), INPUTS)
    assert watch.silence == pytest.approx(1 - 2 / 4 - 0.9)
    assert watch.metrics() == pytest.approx(BY_HAND)  # of the last validation alone


def test_a_forward_that_raises_leaves_no_trace(counted: tuple[nn.Module, Any]) -> None:
    model, run = counted
    watch = spiketune.monitor(model, share=0.9, n_train=4)
    weights = next(m for m in reversed(list(model.modules())) if isinstance(m, nn.Linear))

    def fail(*given: Any) -> None:
        raise MemoryError

    for mode in (True, False):
        model.train(mode)
        handle = weights.register_forward_hook(fail)
        with pytest.raises(MemoryError):
            run(model, INPUTS)
        handle.remove()
        for module in model.modules():  # what a user does after such an end
            if hasattr(module, "reset"):
                module.reset() if callable(module.reset) else None
        run(model, INPUTS)
    assert watch.silence == pytest.approx(1 - 1 / 4 - 0.9)
    assert watch.metrics() == pytest.approx(BY_HAND)


def test_two_monitors_do_not_disturb_each_other(counted: tuple[nn.Module, Any]) -> None:
    model, run = counted
    with spiketune.monitor(model) as first, spiketune.monitor(model) as second:
        run(model.eval(), INPUTS)
    assert first.metrics() == second.metrics() == pytest.approx(BY_HAND)


@pytest.mark.parametrize("mode", ["s", "m"])
def test_a_model_may_change_its_type_between_calls(spikingjelly: ModuleType, mode: str) -> None:
    model = spikingjelly_net(mode)  # snnTorch's spikes are float32, whatever the input is
    run = run_spikingjelly_steps if mode == "s" else run_spikingjelly_sequence
    watch = spiketune.monitor(model.eval())
    run(model, INPUTS)
    run(model.double(), INPUTS.double())
    assert watch.metrics() == pytest.approx(BY_HAND)
    run(model.bfloat16(), INPUTS.bfloat16())
    assert watch.metrics() == pytest.approx(BY_HAND)


def test_wrapped_and_nested_models_are_watched_alike(counted: tuple[nn.Module, Any]) -> None:
    model, run = counted

    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.ModuleDict({"net": model})

        def forward(self, *args: Any) -> Any:
            return self.module["net"](*args)

    wrapper = Wrapper().eval()
    watches = [
        spiketune.monitor(wrapper),
        spiketune.monitor(model),
        spiketune.monitor(nn.DataParallel(model)),
    ]
    run(wrapper, INPUTS)
    for watch in watches:
        assert watch.metrics() == pytest.approx(BY_HAND)
    assert watches[0].outputs == (f"module.net.{watches[1].outputs[0]}",)
    assert watches[2].outputs == watches[1].outputs


def test_closing_removes_every_hook(counted: tuple[nn.Module, Any]) -> None:
    model, run = counted

    def n_hooks() -> int:
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())

    before = n_hooks()
    with spiketune.monitor(model) as watch:
        assert n_hooks() > before
    assert n_hooks() == before
    watch.close()
    run(model.eval(), INPUTS)
    with pytest.raises(InputError, match="no sample was seen in evaluation mode"):
        watch.metrics()


def test_copies_of_a_watched_model_are_not_watched(counted: tuple[nn.Module, Any]) -> None:
    model, run = counted
    watch = spiketune.monitor(model.eval())
    with torch.no_grad():  # hidden states that hold gradients cannot be copied
        run(model, INPUTS)
        run(copy.deepcopy(model), INPUTS)
    assert watch.metrics() == pytest.approx(BY_HAND)


def test_a_watched_model_can_be_stored() -> None:
    model = nn.Sequential(dense(HIDDEN), Threshold())
    watch = spiketune.monitor(model.eval(), output=Threshold)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    torch.load(file, weights_only=False)(INPUTS)
    model(INPUTS)
    assert watch.metrics()["silent_share"] == 0.5


@pytest.fixture(params=["cells", "sequence"])
def norse_run(request: pytest.FixtureRequest, norse: ModuleType) -> tuple[nn.Module, Any]:
    if request.param == "cells":
        return norse_cells(norse), run_norse_cells
    return norse_sequence(norse), run_norse_sequence


def test_norse_models_step_by_step_and_as_sequences(norse_run: tuple[nn.Module, Any]) -> None:
    model, run = norse_run
    watch = spiketune.monitor(model.eval(), min_spikes=2)
    with torch.no_grad():
        run(model, INPUTS)
        run(model, INPUTS[:1])
    # Two of three samples drive both layers at each of four steps.
    expected = {
        "spikes_per_sample": 2 * (4 + 4) / 3,
        "silent_share": 1 / 3,
        "effective_macs_per_sample": 2 * 4 / 3,
        "effective_acs_per_sample": 2 * 4 * 2 / 3,
    }
    found = watch.metrics()
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert watch.firing_rates() == pytest.approx({"1": 8 / 12, "3": 8 / 24})
    assert watch.outputs == ("3",)


def test_a_readout_without_spikes_is_not_the_output(norse: ModuleType) -> None:
    model = norse.SequentialState(
        norse.Lift(nn.Linear(2, 3)), norse.LIF(), norse.Lift(nn.Linear(3, 2)), norse.LI()
    )
    watch = spiketune.monitor(model.eval())
    run_norse_sequence(model, INPUTS)
    assert watch.layers == watch.outputs == ("1",)


@pytest.mark.parametrize("make", [nn.Sequential, Looped])
def test_layers_of_ones_own_are_watched_once_named(make: Any) -> None:
    model = make(dense(HIDDEN), Threshold(), dense(OUT), Threshold()).eval()
    steps = 2 if make is Looped else 1
    watch = spiketune.monitor(model, output=model.get_submodule("body.3" if steps == 2 else "3"))
    assert len(watch.layers) == 2  # the layers of the output's class
    model(INPUTS)
    model(INPUTS) if steps == 2 else None
    found = watch.metrics()
    assert found["spikes_per_sample"] == pytest.approx(steps)
    assert found["silent_share"] == 0.5


def test_models_called_once_a_step_need_steps_where_states_are_hidden() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.state = Accumulator(), torch.zeros(())

        def forward(self, inputs: Tensor) -> Tensor:
            spikes, self.state = self.cell(inputs, self.state)
            return spikes

    model = Hidden().eval()
    spiketune.monitor(model, layers=Hidden)
    model(INPUTS)
    with pytest.raises(InputError, match="say steps=T if the model is called T times"):
        model(INPUTS)
    model = Hidden().eval()
    watch = spiketune.monitor(model, layers=Hidden, steps=4)
    for _ in range(3):
        model.state = torch.zeros(())
        for _ in range(4):
            model(INPUTS)  # 0.6, 1.2, 0.8, 1.4: two spikes
    found = watch.metrics()
    assert found["spikes_per_sample"] == pytest.approx((2 + 2 + 2) / 2)
    assert found["silent_share"] == 0.0
    assert math.isclose(watch.firing_rates()["Hidden"], 6 / 16)


def test_states_that_are_handed_on_outside_show_where_batches_begin() -> None:
    model = nn.ModuleDict({"cell": Accumulator()}).eval()
    watch = spiketune.monitor(model, layers="cell")
    for batch in (INPUTS, INPUTS * 0, INPUTS):
        state = None
        for _ in range(2):  # the model itself is never called
            _, state = model["cell"](batch, state)
    assert watch.metrics()["silent_share"] == pytest.approx(2 / 6)


@pytest.mark.parametrize("time_axis", [0, 1])
def test_whole_sequences_of_named_layers_need_their_time_axis(time_axis: int) -> None:
    model = nn.Sequential(Threshold()).eval()
    sequence = torch.stack([INPUTS] * 3, dim=time_axis)
    watch = spiketune.monitor(model, layers="0", time_axis=time_axis)
    model(sequence)
    model(sequence)
    found = watch.metrics()
    assert found["spikes_per_sample"] == pytest.approx((3 * 2 + 3 * 1) / 2)
    assert found["silent_share"] == 0.0


def test_a_validation_can_be_marked_by_hand() -> None:
    model = nn.Sequential(dense(HIDDEN), Threshold())
    watch = spiketune.monitor(model, layers=Threshold)
    model(INPUTS)
    with pytest.raises(InputError, match=r"call model\.eval\(\) before"):
        watch.metrics()
    with watch.validation():
        model(INPUTS)
    assert watch.metrics()["silent_share"] == 0.5
    assert watch.metrics()["silent_share"] == 0.5  # reading again changes nothing


def test_two_validations_are_told_apart_by_reading_between_them() -> None:
    model = nn.Sequential(dense(HIDDEN), Threshold()).eval()
    watch = spiketune.monitor(model, layers=Threshold)
    model(INPUTS)
    assert watch.metrics()["silent_share"] == 0.5
    model(INPUTS[:1])
    assert watch.metrics()["silent_share"] == 0.0


def test_operations_are_left_out_where_weights_cannot_be_followed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.eye(2))

        def forward(self, inputs: Tensor) -> Tensor:
            return inputs @ self.weight

    model = nn.Sequential(Own(), Threshold()).eval()
    watch = spiketune.monitor(model, layers=Threshold)
    model(INPUTS)
    with caplog.at_level(logging.WARNING):
        found = watch.metrics()
    assert "effective_acs_per_sample" not in found
    assert "0 (Own)" in caplog.text


class Written:
    """Stands where a trial stands, and remembers."""

    def __init__(self) -> None:
        self.constraints: dict[str, float] = {}
        self.ended = "finished"
        self.details: dict[str, Any] = {}

    def set_constraint(self, name: str, value: float) -> None:
        self.constraints[name] = value

    def end(self, ended: str) -> None:
        self.ended = ended

    def note(self, **details: Any) -> None:
        self.details |= details


@pytest.mark.parametrize(("share", "ended"), [(0.4, "silent"), (0.6, "finished")])
def test_the_trial_learns_of_silence_and_rates(share: float, ended: str) -> None:
    model, trial = nn.Sequential(dense(HIDDEN), Threshold()), Written()
    watch = spiketune.monitor(model, trial, layers=Threshold, share=share, n_train=2)
    model(INPUTS)
    model.eval()
    model(INPUTS)
    watch.metrics()
    assert trial.constraints == {"silence": pytest.approx(0.5 - share)}
    assert trial.ended == ended
    assert trial.details == {"firing_rates": {"1": 0.5}}


def test_a_model_without_known_layers_says_what_to_name() -> None:
    with pytest.raises(InputError, match=r"layers=\[\.\.\.\].*0 \(Linear\), 1 \(Threshold\)"):
        spiketune.monitor(nn.Sequential(nn.Linear(2, 2), Threshold()))


@pytest.mark.parametrize("name", ["2", nn.ReLU(), nn.ReLU])
def test_layers_that_the_model_lacks_are_refused(name: Any) -> None:
    with pytest.raises(UnknownNameError, match="No layer of the model named"):
        spiketune.monitor(nn.Sequential(nn.Linear(2, 2), Threshold()), output=name)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_spikes": 0}, "min_spikes must be >= 1, got 0"),
        ({"share": 0.1}, "share needs n_train"),
        ({"share": 1.5, "n_train": 3}, r"share must be in \[0, 1\), got 1.5"),
        ({"share": 0.1, "n_train": 0}, "n_train must be >= 1, got 0"),
        ({"steps": 0}, "steps must be >= 1, got 0"),
        ({"time_axis": 2}, "time_axis must be 0, 1 or None, got 2"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        spiketune.monitor(nn.Sequential(Threshold()), layers=Threshold, **given)


def test_silence_without_a_rule_is_an_error() -> None:
    watch = spiketune.monitor(nn.Sequential(Threshold()), layers=Threshold)
    with pytest.raises(InputError, match="`silent` needs the rule: give share="):
        _ = watch.silent


def test_a_layer_that_returns_no_spikes_is_named() -> None:
    class Nothing(nn.Module):
        def forward(self, inputs: Tensor) -> dict[str, Tensor]:
            return {"spikes": inputs}

    spiketune.monitor(model := nn.Sequential(Nothing()).eval(), layers="0")
    with pytest.raises(InputError, match=r"'0' \(Nothing\) returned dict where spikes"):
        model(INPUTS)


def test_nothing_is_counted_in_training_unless_it_is_asked() -> None:
    model = nn.Sequential(dense(HIDDEN), Threshold())
    watch = spiketune.monitor(model, layers=Threshold)
    before = watch._watch.measurement
    model(INPUTS)
    assert watch._watch.measurement is before


@pytest.fixture
def watched() -> Iterator[Monitor]:
    with spiketune.monitor(nn.Sequential(dense(HIDDEN), Threshold()), layers="1") as watch:
        yield watch


def test_gradients_pass_a_watched_model_unchanged(watched: Monitor) -> None:
    model = watched._model
    plain = copy.deepcopy(model)
    for each in (model, plain):
        each(INPUTS).sum().backward()
    assert torch.equal(model[0].weight.grad, plain[0].weight.grad)  # type: ignore[index]


def test_measurements_equal_those_of_a_training_by_configuration(snntorch: ModuleType) -> None:
    from snntorch import utils

    config = trial(dataset={"encoding": "constant", "steps": 8}, silence={"min_spikes": 3})
    network = SpikingNetwork(plan_layers(config.network, (4,), 2), seed=3)
    data = on_device(points(300, 2), torch.device("cpu"), config.dataset)
    hidden, out = (layer.synapses for layer in network.layers)
    with torch.no_grad():
        hidden.weight.mul_(4.0)  # so that some samples are silent and some are not
        out.weight.mul_(6.0)
    expected = evaluate(network, data, config, study_seed=0)
    fc1, fc2 = nn.Linear(4, 24), nn.Linear(24, 2)
    for ours, theirs in ((hidden, fc1), (out, fc2)):
        theirs.load_state_dict({"weight": ours.weight, "bias": ours.bias})
    neurons = [snntorch.Leaky(beta=0.8, init_hidden=True) for _ in range(2)]
    model = nn.Sequential(fc1, neurons[0], fc2, neurons[1]).eval()
    watch = spiketune.monitor(model, min_spikes=3)
    for which in torch.arange(300).split(64):
        inputs, _ = data.batch(which, torch.Generator())
        utils.reset(model)
        for _ in range(8):
            model(inputs[0])
    found = watch.metrics()
    for name in set(found) - {"n_parameters"}:
        assert found[name] == pytest.approx(expected.metrics[name], rel=1e-12), name
    rates = dict(zip(("1", "3"), expected.firing_rates.values(), strict=True))
    assert watch.firing_rates() == pytest.approx(rates)
    assert 0.0 < found["silent_share"] < 1.0


class NoWaiting(TorchDispatchMode):
    """Refuses every operation that brings a number to the host."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert "_local_scalar_dense" not in str(func), "the host waits for the device"
        return func(*args, **(kwargs or {}))


def test_nothing_waits_for_the_device_before_a_number_is_read(
    counted: tuple[nn.Module, Any],
) -> None:
    model, run = counted
    watch = spiketune.monitor(model, share=0.9, n_train=3)
    with NoWaiting():
        for mode in (True, False):
            for _ in range(3):  # over the end of an epoch, too
                run(model.train(mode), INPUTS)
    with pytest.raises(AssertionError, match="the host waits"), NoWaiting():
        _ = watch.silent
    assert watch.metrics() == pytest.approx(BY_HAND)
