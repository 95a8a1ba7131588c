"""Arrays that are made once."""

import threading
from pathlib import Path

import numpy as np
import pytest

from spiketune.data.cache import Arrays, cache_folder, cached


def never() -> Arrays:
    raise AssertionError("made again")


def test_arrays_are_made_once_and_read_back() -> None:
    made = {"inputs": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": np.array([1, 0])}
    cached("a-v1", lambda: made)
    found = cached("a-v1", never)
    assert sorted(found) == ["inputs", "labels"]
    assert np.array_equal(found["inputs"], made["inputs"])
    assert found["inputs"].dtype == np.uint8


def test_writing_to_the_arrays_changes_no_file() -> None:
    first = cached("a-v1", lambda: {"x": np.zeros(3)})
    first["x"][:] = 7
    assert cached("a-v1", never)["x"].tolist() == [0, 0, 0]


def test_two_that_make_the_same_arrays_at_once_both_get_them(cache: Path) -> None:
    both_are_here = threading.Barrier(2)
    found = []

    def make() -> Arrays:
        both_are_here.wait(timeout=30)
        return {"x": np.arange(4)}

    threads = [
        threading.Thread(target=lambda: found.append(cached("b-v1", make)["x"].tolist()))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[0, 1, 2, 3]] * 2
    assert [path.name for path in (cache / "arrays").iterdir()] == ["b-v1"]


def test_a_folder_that_cannot_be_written_costs_the_cache_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SPIKETUNE_CACHE", str(tmp_path / "file"))
    assert cached("c-v1", lambda: {"x": np.arange(2)})["x"].tolist() == [0, 1]
    assert "cannot keep converted data" in caplog.text
    assert cached("c-v1", never)["x"].tolist() == [0, 1]


def test_the_folder_can_be_named_and_has_a_usual_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKETUNE_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("SPIKETUNE_CACHE")
    assert cache_folder().name in {"spiketune", "cache"}
