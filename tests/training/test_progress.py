"""The tally of an epoch, by hand."""

from spiketune.training.progress import EpochTally
from spiketune.training.stopping import PatienceCount, SilenceCount

from .sections import trial


def tallied(*batches: tuple[int, float], n_train: int, batch_size: int) -> EpochTally:
    """A tally of batches, sizes and mean losses, in which half of the samples are correct."""
    patience = {"batches": 9, "improvement": 0.0}
    config = trial(training={"batch_size": batch_size, "patience": patience})
    tally = EpochTally(SilenceCount(n_train), PatienceCount())
    for n, loss in batches:
        tally = tally.after(config, 1, n, loss=loss, correct=n // 2, silent=0)
    return tally


def test_losses_and_accuracies_are_means_over_samples() -> None:
    metrics = tallied((4, 1.0), (2, 4.0), n_train=6, batch_size=4).metrics
    assert metrics == {"train_accuracy": 0.5, "train_loss": 2.0}


def test_patience_counts_whole_batches_and_what_is_left_of_an_epoch_neither_way() -> None:
    found = tallied((4, 1.0), (4, 0.9), (4, 0.95), (1, 0.1), n_train=13, batch_size=4)
    assert found.patience == PatienceCount(best=0.9, without=1)
    found = tallied((13, 1.0), (13, 1.0), n_train=13, batch_size=100)
    assert found.patience == PatienceCount(best=1.0, without=1)
