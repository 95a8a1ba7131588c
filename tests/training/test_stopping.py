"""Silence and patience, by hand."""

import pytest

from spiketune.config.training import Patience, Silence
from spiketune.training.stopping import PatienceCount, SilenceCount

SILENCE = Silence(min_spikes=5, share=0.1)


def test_silence_stops_when_more_than_the_share_of_the_whole_epoch_is_silent() -> None:
    count = SilenceCount(100).after(silent=10, batch=20)
    assert not count.exceeds(SILENCE)
    assert count.after(silent=1, batch=20).exceeds(SILENCE)


def test_samples_that_were_not_processed_count_as_silent() -> None:
    early = SilenceCount(100).after(silent=20, batch=20)
    late = SilenceCount(100).after(silent=5, batch=60).after(silent=10, batch=20)
    assert early.constraint(SILENCE) == pytest.approx(1.0 - 0.0 - 0.1)
    assert late.constraint(SILENCE) == pytest.approx(1.0 - 0.65 - 0.1)
    assert early.constraint(SILENCE) > late.constraint(SILENCE)


def test_samples_that_another_rule_left_out_count_neither_way() -> None:
    count = SilenceCount(1000).after(silent=1, batch=20).ended_by_another_rule()
    assert count.constraint(SILENCE) == pytest.approx(0.05 - 0.1)


def test_an_epoch_without_a_silent_sample_has_the_lowest_constraint_value() -> None:
    count = SilenceCount(40).after(silent=0, batch=40)
    assert count.constraint(SILENCE) == pytest.approx(-0.1)


def test_a_whole_epoch_at_the_allowed_share_is_feasible() -> None:
    count = SilenceCount(40).after(silent=4, batch=40)
    assert count.constraint(SILENCE) == pytest.approx(0.0, abs=1e-12)


RULE = Patience(batches=2, improvement=0.1)


def counted(*losses: float) -> PatienceCount:
    count = PatienceCount()
    for loss in losses:
        count = count.after(loss, RULE)
    return count


def test_an_improvement_smaller_than_the_share_counts_as_none() -> None:
    assert counted(1.0, 0.95, 0.91) == PatienceCount(1.0, 2)
    assert counted(1.0, 0.95, 0.89) == PatienceCount(0.89, 0)


def test_patience_ends_after_more_batches_than_allowed() -> None:
    assert not counted(1.0, 1.0, 1.0).exhausted(1, RULE)
    assert counted(1.0, 1.0, 1.0, 1.0).exhausted(1, RULE)


def test_patience_never_ends_in_the_first_epoch() -> None:
    assert not counted(*[1.0] * 9).exhausted(0, RULE)


def test_a_share_of_zero_asks_for_any_improvement() -> None:
    rule = Patience(batches=1, improvement=0.0)
    count = PatienceCount().after(1.0, rule).after(1.0, rule)
    assert count.without == 1
    assert count.after(0.999, rule).without == 0
