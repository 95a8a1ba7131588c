"""Samples, batches and epochs, counted by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spiketune.config.training import Silence
from spiketune.errors import InputError
from spiketune.snn.monitoring.batches import EpochCount, SampleCount
from spiketune.training.stopping import SilenceCount


def spikes(*counts: int) -> torch.Tensor:
    return torch.tensor(counts)


def test_steps_of_a_batch_are_summed_before_silence_is_judged() -> None:
    count = SampleCount(min_spikes=2).adding("out", spikes(1, 0, 2), 1, starts=True)
    assert (count.n, int(count.n_silent)) == (3, 2)
    count = count.adding("out", spikes(1, 1, 0), 1, starts=False)
    assert (count.n, int(count.n_silent)) == (3, 1)


def test_a_smaller_batch_is_another_batch() -> None:
    count = SampleCount(1).adding("out", spikes(0, 0, 1), 1, starts=True)
    count = count.adding("out", spikes(0, 1), 1, starts=False)
    assert (count.n, int(count.n_silent)) == (5, 3)


def test_two_output_layers_share_their_samples() -> None:
    count = SampleCount(1).adding("a", spikes(0, 1), 1, starts=True)
    count = count.adding("b", spikes(1, 0), 1, starts=True)
    assert (count.n, int(count.n_silent)) == (2, 0)
    count = count.adding("a", spikes(0, 0), 1, starts=True)
    assert (count.n, int(count.n_silent)) == (4, 2)


def test_output_layers_of_different_sizes_are_refused() -> None:
    count = SampleCount(1).adding("a", spikes(0, 1), 1, starts=True)
    with pytest.raises(InputError, match=r"'b' gave 1 samples where 'a' gave 2"):
        count.adding("b", spikes(1), 1, starts=True)


def test_an_empty_batch_adds_nothing() -> None:
    count = SampleCount(1).adding("out", spikes(0), 1, starts=True)
    count = count.adding("out", spikes().long(), 1, starts=True)
    assert (count.n, int(count.n_silent)) == (1, 1)


def test_a_batch_that_does_not_fit_opens_the_next_epoch() -> None:
    epoch = EpochCount(n_train=5, share=0.5, samples=SampleCount(1))
    for batch in (spikes(0, 0), spikes(0, 1)):  # the fifth sample is dropped
        epoch = epoch.adding("out", batch, 1, starts=True)
    assert epoch.constraint() == pytest.approx(1 - 1 / 5 - 0.5)
    epoch = epoch.adding("out", spikes(1, 1), 1, starts=True)
    assert epoch.constraint() == pytest.approx(1 - 2 / 5 - 0.5)
    assert epoch.stops()  # the epoch before broke the rule


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), min_size=1, max_size=6),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.03, 0.1, 0.5]),
)
def test_the_rule_is_that_of_trainings_by_configuration(
    batches: list[list[int]], min_spikes: int, share: float
) -> None:
    n_train = 40
    rule = Silence(min_spikes=min_spikes, share=share)
    expected = SilenceCount(n_train)
    epoch = EpochCount(n_train, share, SampleCount(min_spikes))
    for batch in batches:
        silent = sum(count < min_spikes for count in batch)
        expected = expected.after(silent=silent, batch=len(batch))
        epoch = epoch.adding("out", torch.tensor(batch), 1, starts=True)
        assert epoch.stops() == expected.exceeds(rule)
        assert epoch.constraint() == pytest.approx(expected.constraint(rule))
