"""The fork server of the local executor, and the child in which one attempt runs.

The server imports what the objective needs, never runs any of it, stays single-threaded, and
forks a child per attempt in milliseconds. It ends its children when its asker is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from spiketune.executors.lease import claim, write_result
from spiketune.messages import Failure, Job, Report, Result, from_json, to_json
from spiketune.objectives.execution import execute

ORPHAN_GRACE_S: Final = 1.2  # between SIGTERM and SIGKILL once the asker is gone
_MAX_REQUEST: Final = 1 << 20
_SIGNALS: Final = (signal.SIGTERM, signal.SIGUSR1)
_PR_SET_PDEATHSIG: Final = 1
_TORCH_OPTIMIZERS_NEED: Final = "torch._dynamo"  # 1.5 s when the first optimiser is made, otherwise


def serve(control: socket.socket, preload: list[str]) -> None:
    """Fork a child for every request until the asker hangs up.

    A request is a JSON text with the `folder` of an attempt, where its `job.json` lies, the
    scheduler `job` that its lease names and the child's `environment`, with the child's end of a
    socket attached; an answer is a line `{"started": pid, "folder": ...}` or
    `{"exited": pid, "status": wait status}`.

    Args:
        control: Socket to the asker.
        preload: Modules to import first; one that is missing is left to the child.
    """
    for name in preload:
        _import(name)
    if "torch" in sys.modules:
        _import(_TORCH_OPTIMIZERS_NEED)
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    _send(control, {"ready": os.getpid()})
    children: set[int] = set()
    while True:
        readable, _, _ = select.select([control.fileno(), wake_reader], [], [])
        if wake_reader in readable:
            os.read(wake_reader, 4096)
            _reap(control, children)
        if control.fileno() in readable and not _accept(
            control, children, (wake_reader, wake_writer)
        ):
            _end_orphans(children)
            return


def _import(name: str) -> None:
    with contextlib.suppress(Exception):  # the child imports it again, and says what is wrong
        importlib.import_module(name)


def _accept(control: socket.socket, children: set[int], inherited: tuple[int, ...]) -> bool:
    """Fork a child for the next request; false once the asker is gone."""
    try:
        data, files, _, _ = socket.recv_fds(control, _MAX_REQUEST, 1)
    except OSError:
        return False
    if not data:
        return False
    request = json.loads(data)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # none is lost before the child listens
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        for file in inherited:
            os.close(file)
        control.close()
        _run_child(request, socket.socket(fileno=files[0]))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    for file in files:
        os.close(file)
    children.add(pid)
    _send(control, {"started": pid, "folder": request["folder"]})
    return True


def _reap(control: socket.socket, children: set[int]) -> None:
    for pid in list(children):
        try:
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            ended, status = pid, 0
        if ended:
            children.discard(pid)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)  # what the objective started and left behind
            _send(control, {"exited": pid, "status": status})


def _send(control: socket.socket, answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the asker is gone; `select` will say so
        control.sendall(json.dumps(answer).encode() + b"\n")


def _end_orphans(children: set[int]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)
        deadline_s = time.monotonic() + ORPHAN_GRACE_S
        while children and time.monotonic() < deadline_s:
            for pid in list(children):
                with contextlib.suppress(ChildProcessError):
                    if os.waitpid(pid, os.WNOHANG)[0]:
                        children.discard(pid)
            time.sleep(0.01)


def _run_child(request: dict[str, Any], link: socket.socket) -> NoReturn:
    """All of a child's life; never returns to the server's loop."""
    status = 1
    try:
        folder = Path(request["folder"])
        os.environ.update(request["environment"])
        os.setsid()
        _die_with_parent()
        stop = _listen_to_signals()
        job = from_json((folder / "job.json").read_bytes())
        if isinstance(job, Job):
            claim(folder, request["job"])
            _attempt(job, link, stop)
            status = 0
    except BaseException:  # nothing may unwind into the server
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _listen_to_signals() -> threading.Event:
    """SIGTERM and SIGUSR1 mean: write a checkpoint, report, leave."""
    stop = threading.Event()

    def leave(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in _SIGNALS:
        signal.signal(number, leave)
    os.register_at_fork(after_in_child=_forget_signals)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    return stop


def _forget_signals() -> None:
    """Processes that the objective forks end by SIGTERM again, as `Pool.terminate` expects."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def _attempt(job: Job, link: socket.socket, stop: threading.Event) -> None:
    folder = Path(job.folder)
    _redirect(folder)
    limit_threads(job.threads)
    threading.Thread(target=_watch_asker, args=(link, stop), daemon=True).start()
    log = (folder / "metrics.jsonl").open("a", encoding="utf-8", buffering=1)

    def send(report: Report) -> None:
        log.write(to_json(report) + "\n")
        _tell(link, report)

    end = execute(job, send, stop.is_set)
    write_result(folder, end)
    _tell(link, end)


def _tell(link: socket.socket, message: Report | Result | Failure) -> None:
    with contextlib.suppress(OSError):  # the asker is gone; the folder has the message
        link.sendall(to_json(message).encode() + b"\n")


def _watch_asker(link: socket.socket, stop: threading.Event) -> None:
    """Leave when the asker hangs up, even if the fork server was killed as well."""
    with contextlib.suppress(OSError):
        while link.recv(4096):
            pass
    stop.set()
    time.sleep(ORPHAN_GRACE_S)
    os.killpg(0, signal.SIGKILL)


def _redirect(folder: Path) -> None:
    """Standard output and error into the attempt's folder, of C libraries too."""
    sys.stdout.flush()
    sys.stderr.flush()
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, number)
        os.close(file)


def limit_threads(threads: int) -> None:
    """Bound the threads of every numerical library, loaded already or not."""
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if threads > 1 and "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)


def _die_with_parent() -> None:
    """On Linux, ask the kernel to end this child when the fork server dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
