import gc
import json
import multiprocessing
import os

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from spiketune.errors import InputError, SpiketuneError
from spiketune.study.records import journal as journal_module
from spiketune.study.records.journal import BatchedStorage, JournalFile
from tests.study.support import n_open_files


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.log"


def lines(path):
    return path.read_bytes().split(b"\n")


def test_what_is_written_is_read_by_a_stock_reader_and_back(path):
    ours = BatchedStorage(JournalFile(path, writable=True))
    study_id = ours.create_new_study([optuna.study.StudyDirection.MINIMIZE], "s")
    stock = optuna.load_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(path))))
    trial = stock.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    stock.tell(trial, 0.5)
    (seen,) = ours.get_all_trials(study_id)
    assert seen.value == 0.5
    assert seen.params == trial.params


def test_a_batch_reaches_the_file_as_one_or_not_at_all(path):
    storage = BatchedStorage(JournalFile(path, writable=True))
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "s")
    before = path.read_bytes()

    def fails_halfway():
        with storage.batch():
            storage.set_study_user_attr(study_id, "a", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_halfway()
    assert path.read_bytes() == before
    with storage.batch():
        storage.set_study_user_attr(study_id, "a", 1)
        storage.set_study_user_attr(study_id, "b", 2)
        assert path.read_bytes() == before
    assert len(lines(path)) == len(before.split(b"\n")) + 2
    assert storage.get_study_user_attrs(study_id) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "torn", [b"{", b'{"op_code":4,"worker_id":"x"', b'{"a": "' + b"x" * 3_000_000]
)
def test_a_torn_tail_is_cut_and_nothing_before_it(path, torn, monkeypatch):
    monkeypatch.setattr(journal_module, "_TAIL_PATIENCE_S", 0.0)
    storage = BatchedStorage(JournalFile(path, writable=True))
    storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "s")
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(torn)
    again = JournalFile(path, writable=True)
    again.cut_torn_tail()
    assert path.read_bytes() == whole
    assert [s.study_name for s in BatchedStorage(again).get_all_studies()] == ["s"]


def test_an_append_after_a_torn_tail_leaves_whole_lines_only(path, monkeypatch):
    monkeypatch.setattr(journal_module, "_TAIL_PATIENCE_S", 0.0)
    storage = BatchedStorage(JournalFile(path, writable=True))
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "s")
    with path.open("ab") as file:
        file.write(b'{"op_code":4,"wor')  # a stock writer died here
    storage.set_study_user_attr(study_id, "a", 1)
    for line in lines(path)[:-1]:
        json.loads(line)
    assert storage.get_study_user_attrs(study_id) == {"a": 1}


def test_a_reader_leaves_a_line_that_is_being_written_for_later(path):
    storage = BatchedStorage(JournalFile(path, writable=True))
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "s")
    reader = BatchedStorage(JournalFile(path, writable=False))
    line = b'{"op_code":2,"worker_id":"w","study_id":0,"user_attr":{"a":1}}\n'
    with path.open("ab", buffering=0) as file:
        file.write(line[:20])
        assert reader.get_study_user_attrs(study_id) == {}
        file.write(line[20:])
    assert reader.get_study_user_attrs(study_id) == {"a": 1}


def test_a_damaged_line_in_the_middle_is_named(path):
    storage = BatchedStorage(JournalFile(path, writable=True))
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "s")
    with path.open("ab") as file:
        file.write(b"rubbish\n")
    storage2 = JournalFile(path, writable=True)
    with pytest.raises(InputError, match=r"journal\.log: line 2 is damaged"):
        BatchedStorage(storage2)
    assert study_id == 0


def _write_stock(path, n):
    study = optuna.load_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(path))))
    for i in range(n):
        study.set_user_attr(f"stock-{os.getpid()}-{i}", i)


def test_a_stock_writer_beside_ours_loses_nothing_on_either_side(path):
    storage = BatchedStorage(JournalFile(path, writable=True))
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "s")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_stock, args=(str(path), 50)) for _ in range(2)]
    for writer in writers:
        writer.start()
    written = 0
    while any(writer.is_alive() for writer in writers):
        storage.set_study_user_attr(study_id, f"ours-{written}", written)
        written += 1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    stock = JournalStorage(JournalFileBackend(str(path)))
    for attributes in (
        storage.get_study_user_attrs(study_id),
        stock.get_study_user_attrs(study_id),
    ):
        assert sum(key.startswith("stock-") for key in attributes) == 100
        assert sum(key.startswith("ours-") for key in attributes) == written


def test_a_journal_that_nobody_refers_to_any_more_is_closed(path):
    BatchedStorage(JournalFile(path, writable=True)).get_all_studies()
    before = n_open_files()
    for _ in range(20):
        BatchedStorage(JournalFile(path, writable=False)).get_all_studies()
    gc.collect()
    assert n_open_files() <= before


def test_a_journal_is_closed_once(path):
    journal = JournalFile(path, writable=True)
    journal.close()
    with path.open("rb") as other:  # gets the number that the journal's file had
        journal.close()
        del journal
        gc.collect()
        assert other.read() == b""


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        JournalFile(tmp_path / "absent" / "journal.log", writable=True)


def test_a_full_disk_leaves_whole_lines_and_says_what_to_do(path, monkeypatch):
    storage = BatchedStorage(JournalFile(path, writable=True))
    study_id = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "s")
    before = path.read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[: len(data) // 2]))
    with pytest.raises(SpiketuneError, match="No space left on device; what came before is safe"):
        storage.set_study_user_attr(study_id, "a", 1)
    monkeypatch.undo()
    assert path.read_bytes() == before
    storage.set_study_user_attr(study_id, "a", 2)
    assert storage.get_study_user_attrs(study_id) == {"a": 2}
