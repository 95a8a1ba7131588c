"""SHD and SSC: HDF5 files, packed or not, and what can be wrong with them."""

import gzip
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spiketune.config.training import Dataset, Validation
from spiketune.data import shd
from spiketune.data.binning import Binning, frames_of
from spiketune.data.events import Events
from spiketune.data.registry import load
from spiketune.data.shd import SHD, SSC, channel_targets
from spiketune.data.splits import Labelled
from spiketune.errors import ConfigError, DatasetError, InputError

from .recordings import cochlea_content, write_cochlea, write_shd, write_ssc

REAL_DATA = os.environ.get("SPIKETUNE_DATA", "")
TRAIN = cochlea_content(45, seed=1)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    write_shd(folder)
    write_ssc(folder)
    return folder


def at(folder: Path, name: str = "shd", **keys: Any) -> Dataset:
    return Dataset(name=name, root=str(folder), **keys)


def events_of(data: Labelled) -> Events:
    assert isinstance(data.inputs, Events)
    return data.inputs


def test_a_file_is_read_as_it_was_written(files: Path) -> None:
    data = SHD.labelled(at(files))
    events = events_of(data)
    assert data.labels.tolist() == TRAIN["labels"].tolist()
    assert data.groups["speaker"].tolist() == TRAIN["extra/speaker"].tolist()
    assert events.shape == (45, 700)
    assert events.sources.tolist() == np.concatenate(TRAIN["spikes/units"]).tolist()
    times_s = np.concatenate(TRAIN["spikes/times"]).astype(np.float64)
    assert events.times_us / 1e6 == pytest.approx(times_s, abs=1e-6)


def test_a_packed_file_is_as_good(files: Path) -> None:
    plain = events_of(SHD.labelled(at(files)))
    path = files / "shd_train.h5"
    (files / "shd_train.h5.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert np.array_equal(events_of(SHD.labelled(at(files))).times_us, plain.times_us)


def test_a_recording_without_spikes_is_a_sample(files: Path) -> None:
    content = cochlea_content(6, seed=1)
    for name in ("spikes/times", "spikes/units"):
        content[name][2] = content[name][2][:0]
    write_cochlea(files / "shd_train.h5", content)
    frames = frames_of(events_of(SHD.labelled(at(files))), slice(None), Binning(3, counted=True))
    assert frames.sum(axis=(0, 2)).tolist() == [40, 40, 0, 40, 40, 40]


def test_neighbouring_channels_are_summed_up(files: Path) -> None:
    assert channel_targets(140).tolist() == [channel // 5 for channel in range(700)]
    events = events_of(SHD.labelled(at(files, channels=140)))
    assert events.shape == (45, 140)
    assert frames_of(events, slice(None), Binning(2, counted=True)).sum() == 45 * 40


def test_more_channels_than_there_are_is_refused(files: Path) -> None:
    with pytest.raises(ConfigError, match=r"trial\.dataset\.channels: must be <= 700, got 701"):
        load(at(files, channels=701))


def test_whole_speakers_are_held_out_unless_asked_otherwise(files: Path) -> None:
    for validation in (Validation(), Validation(share=0.4, seed=3)):
        splits = load(at(files, validation=validation))
        heard, unheard = (set(part.groups["speaker"]) for part in (splits.train, splits.validation))
        assert not heard & unheard
        assert len(splits.validation) == round(45 * (validation.share or 0.2))
    mixed = load(at(files, validation=Validation(kind="stratified")))
    assert set(mixed.validation.groups["speaker"]) & set(mixed.train.groups["speaker"])


def test_a_file_without_speakers_can_be_split_by_class(files: Path) -> None:
    content = {name: values for name, values in TRAIN.items() if name != "extra/speaker"}
    write_cochlea(files / "shd_train.h5", content)
    with pytest.raises(ConfigError, match=r"no grouping 'speaker'\. Known: none"):
        load(at(files))
    assert len(load(at(files, validation=Validation(kind="stratified"))).validation) == 9


def test_ssc_has_a_validation_split_of_its_own(files: Path) -> None:
    splits = load(at(files, "ssc"))
    assert (len(splits.train), len(splits.validation), splits.n_classes) == (30, 9, 3)
    assert len(SSC.test(at(files, "ssc"))) == 9


def test_files_are_converted_once(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SHD.labelled(at(files))
    monkeypatch.setattr(shd, "_convert", lambda source: pytest.fail("converted again"))
    assert len(SHD.labelled(at(files, channels=70, frames="count"))) == 45


def test_training_opens_no_test_file(files: Path) -> None:
    for path in files.glob("*_test.h5"):
        path.write_bytes(b"not to be looked at")
    assert load(at(files)).n_classes == load(at(files, "ssc")).n_classes == 3


def refused(files: Path, cache: Path, match: str) -> None:
    with pytest.raises(DatasetError, match=match):
        SHD.labelled(at(files))
    assert not (cache / "arrays").exists()


@pytest.mark.parametrize("kept", [0, 100, 5000, -100])
@pytest.mark.parametrize("packed", [True, False])
def test_a_file_cut_short_is_named(files: Path, cache: Path, kept: int, packed: bool) -> None:
    path = files / "shd_train.h5"
    content = path.read_bytes()
    if packed:
        path.unlink()
        path, content = files / "shd_train.h5.gz", gzip.compress(content)
    path.write_bytes(content[:kept])
    refused(files, cache, r"shd_train\.h5(\.gz)?: damaged or cut short .*fetch it again")


@pytest.mark.parametrize("name", ["shd_train.h5", "shd_train.h5.gz"])
def test_a_file_of_another_kind_is_named(files: Path, cache: Path, name: str) -> None:
    (files / "shd_train.h5").unlink()
    (files / name).write_bytes(b"a login page" * 100)
    refused(files, cache, r"shd_train\.h5(\.gz)?: damaged or cut short .*fetch it again")


@pytest.mark.parametrize("name", ["spikes/times", "spikes/units", "labels"])
def test_a_member_that_is_missing_is_named(files: Path, cache: Path, name: str) -> None:
    content = {key: values for key, values in TRAIN.items() if key != name}
    write_cochlea(files / "shd_train.h5", content)
    refused(files, cache, rf"shd_train\.h5: holds no '{name}', so it is no file of SHD")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.zeros(0, "u2")}, "holds no recordings"),
        ({"labels": np.zeros(44, "u2")}, r"different numbers of recordings \(45 in 'spikes/times'"),
        ({"extra/speaker": np.zeros(4)}, "different numbers .* 4 in 'extra/speaker'"),
        ({"labels": np.full(45, -1)}, "'labels' that are no whole numbers from 0 on"),
        (
            {"spikes/units": [np.full(40, 700, "u2")] * 45},
            "recording 0: 'spikes/units' lie outside 0 to 699",
        ),
        ({"spikes/units": [np.zeros(39, "u2")] * 45}, "recording 0: 40 in 'spikes/times', but 39"),
        ({"spikes/times": [np.full(40, np.nan)] * 45}, "recording 0: .* not all finite"),
        ({"spikes/times": [np.full(40, -1.0)] * 45}, "recording 0: times lie before 0"),
        ({"spikes/units": np.zeros((45, 40))}, "recording 0: .* are float16 and float64"),
    ],
)
def test_content_that_cannot_be_is_named(
    files: Path, cache: Path, changes: dict[str, Any], message: str
) -> None:
    write_cochlea(files / "shd_train.h5", {**TRAIN, **changes})
    refused(files, cache, rf"shd_train\.h5: .*{message}.*; give the official file")


def test_missing_files_are_named_with_the_remedy(tmp_path: Path) -> None:
    match = r"no shd_train\.h5 or shd_train\.h5\.gz of 'shd' in .*trial\.dataset\.root"
    with pytest.raises(DatasetError, match=match):
        SHD.labelled(at(tmp_path))


def test_without_h5py_the_message_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shd_train.h5").write_bytes(b"not looked at")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"need h5py: pip install 'spiketune\[events\]'"):
        SHD.labelled(at(tmp_path))


@pytest.mark.skipif(
    not any(Path(REAL_DATA).glob("shd*/shd_train.h5*")), reason="SPIKETUNE_DATA names no SHD"
)
def test_a_real_file_holds_spikes_of_several_speakers() -> None:
    pytest.importorskip("h5py", reason="needs the extra 'events'")
    folder = next(Path(REAL_DATA).glob("shd*/shd_train.h5*")).parent
    splits = load(at(folder))
    assert splits.n_classes in {10, 20}
    assert np.unique(splits.train.groups["speaker"]).size >= 3
    assert 500_000 < np.median(events_of(splits.train).ends_us) < 1_500_000
