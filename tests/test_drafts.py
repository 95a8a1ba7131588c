"""Files that are seen whole or not at all."""

import os
import stat

import pytest

from spiketune.drafts import draft_of


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with draft_of(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
        assert draft.suffix == ".json"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_old_file_and_no_draft(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")

    def fail():
        with draft_of(path) as draft:
            draft.write_text("n")
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_drafts_of_one_file_do_not_meet(tmp_path):
    with draft_of(tmp_path / "a") as one, draft_of(tmp_path / "a") as other:
        one.write_text("1")
        other.write_text("2")
    assert (tmp_path / "a").read_text() == "1"  # its block ended last


def test_who_may_read_it_is_for_the_umask_to_say(tmp_path):
    before = os.umask(0o027)
    try:
        with draft_of(tmp_path / "a") as draft:
            draft.write_text("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
