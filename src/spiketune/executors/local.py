"""Trials on this machine: every attempt a supervised child of a fork server."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

from spiketune.errors import InputError
from spiketune.executors.base import Executor
from spiketune.executors.gpus import GpuPool, environment_of
from spiketune.executors.lease import write_result
from spiketune.executors.ranks import without_ranks
from spiketune.messages import (
    Failure,
    FailureKind,
    Job,
    Message,
    Report,
    Result,
    from_json,
    to_json,
)
from spiketune.objectives.deaths import FROM_OUTSIDE, signal_name
from spiketune.objectives.oom_kills import oom_kills

KILL_GRACE_S: Final = 5.0  # between SIGTERM and SIGKILL after a time limit
_START_LIMIT_S: Final = 120.0  # importing torch from a cold network disk takes its time
_SERVER: Final = "spiketune.executors.child"
_THREAD_VARIABLES: Final = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")


@dataclass(slots=True)
class _Attempt:
    """One attempt at work."""

    job: Job
    link: socket.socket
    slot: int
    gpu: int | None = None
    pid: int = 0
    started_s: float = field(default_factory=time.monotonic)
    received: bytes = b""
    end: Message | None = None
    timed_out: bool = False
    kill_at_s: float | None = None
    signal_wanted: signal.Signals | None = None


@final
class LocalExecutor(Executor):
    """Worker slots on this machine.

    A child that dies without a result is told as `worker_lost`, `oom` or `crash`; one that
    takes longer than its time limit as `timeout`. No child outlives this process by more
    than 2 s.

    Args:
        n_workers: Attempts at once.
        preload: Modules that the fork server imports before the first attempt.
        base_folder: First on the import path.
        job: What the leases of attempts say of the job that this process is part of.
        gpus: Gives every attempt one GPU to see; None for attempts without.

    Raises:
        InputError: If the fork server cannot be started.
    """

    def __init__(
        self,
        n_workers: int,
        *,
        preload: Sequence[str] = (),
        base_folder: str = "",
        job: str = "",
        gpus: GpuPool | None = None,
    ) -> None:
        self._n_workers = n_workers
        self._job = job
        self._gpus = gpus
        self._preload = tuple(preload)
        self._base_folder = base_folder
        self._attempts: dict[int, _Attempt] = {}
        self._last_reports: list[Message] = []  # of attempts whose end was heard of first
        self._oom_kills = oom_kills()
        self._closed = False
        self._start_server()

    def _start_server(self) -> None:
        self._answers = b""
        self._control, theirs = socket.socketpair()
        environment = without_ranks(os.environ)
        environment.update({f"{name}_NUM_THREADS": "1" for name in _THREAD_VARIABLES})
        paths = [self._base_folder, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", _SERVER, str(theirs.fileno()), *self._preload],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the asker alone
                env=environment,
            )
        self._await_ready()

    def _await_ready(self) -> None:
        deadline_s = time.monotonic() + _START_LIMIT_S
        while b"\n" not in self._answers:
            readable, _, _ = select.select([self._control], [], [], 1.0)
            data = self._control.recv(65536) if readable else b""
            if (readable and not data) or time.monotonic() > deadline_s:
                self.close()
                raise InputError(
                    "executor local: the fork server did not start "
                    f"(exit status {self._server.poll()}); see the messages above"
                )
            self._answers += data
        self._answers = self._answers.partition(b"\n")[2]

    @property
    def n_workers(self) -> int:
        """Attempts that run at once."""
        return self._n_workers

    @property
    def free_slots(self) -> int:
        """Slots without an attempt, if GPUs are used as many as take another one now."""
        free = self._n_workers - len(self._attempts)
        return free if self._gpus is None or not free else min(free, self._gpus.n_free)

    def submit(self, job: Job) -> str:
        """Start the attempt in a child."""
        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "job.json").write_text(to_json(job), encoding="utf-8")
        ours, theirs = socket.socketpair()
        taken = {attempt.slot for attempt in self._attempts.values()}
        slot = next(i for i in range(self._n_workers) if i not in taken)
        gpu = self._gpus.take() if self._gpus is not None else None
        attempt = _Attempt(job, ours, slot, gpu)
        self._attempts[job.number] = attempt
        with theirs:
            environment = environment_of(gpu) if gpu is not None else {}
            request = json.dumps(
                {"folder": job.folder, "job": self._job, "environment": environment}
            ).encode()
            with contextlib.suppress(BrokenPipeError):  # `events` finds the fork server gone
                socket.send_fds(self._control, [request], [theirs.fileno()])
        return str(slot)

    def events(self, timeout_s: float) -> Sequence[Message]:
        """What happened; waits up to `timeout_s`."""
        messages = self._take_ended()
        deadline_s = time.monotonic() + timeout_s
        while not messages:
            self._enforce_limits()
            wait_s = max(0.0, min(deadline_s, self._next_limit_s()) - time.monotonic())
            links = {attempt.link: attempt for attempt in self._attempts.values()}
            open_links = [link for link in links if link.fileno() >= 0]
            readable, _, _ = select.select([self._control, *open_links], [], [], wait_s)
            for ready in readable:
                if ready is self._control:
                    self._read_server()
                else:
                    messages += self._read_child(links[ready])
            messages += self._take_ended()
            if time.monotonic() >= deadline_s:
                break
        return messages

    def cancel(self, number: int, *, kill: bool = False) -> None:
        """SIGTERM, or SIGKILL, for the attempt."""
        if (attempt := self._attempts.get(number)) is not None:
            self._signal(attempt, signal.SIGKILL if kill else signal.SIGTERM)

    def close(self) -> None:
        """End every child and the fork server."""
        self._closed = True
        self._control.close()  # the server ends its children, then itself
        try:
            self._server.wait(timeout=KILL_GRACE_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        for attempt in self._attempts.values():
            attempt.link.close()
        self._attempts.clear()

    # What children and the fork server say.

    def _read_child(self, attempt: _Attempt) -> list[Message]:
        try:
            data = attempt.link.recv(1 << 16, socket.MSG_DONTWAIT)
        except OSError:  # nothing more, though a process that the objective left holds the link
            data = b""
        if not data:
            attempt.link.close()  # its exit status comes from the fork server
            return []
        *lines, attempt.received = (attempt.received + data).split(b"\n")
        reports: list[Message] = []
        for message in (from_json(line) for line in lines):
            if isinstance(message, Report):
                reports.append(message)
            elif not isinstance(message, Job):
                attempt.end = self._as_limited(attempt, message)
        return reports

    def _as_limited(self, attempt: _Attempt, end: Result | Failure) -> Result | Failure:
        """An attempt that left because its time was over did not leave for another."""
        left = isinstance(end, Failure) and end.kind == "preempted"
        if not (left and attempt.timed_out):
            return end
        timeout = self._timeout(attempt)
        write_result(Path(attempt.job.folder), timeout)
        return timeout

    def _read_server(self) -> None:
        try:
            data = self._control.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self._lose_all()
            return
        *lines, self._answers = (self._answers + data).split(b"\n")
        for line in lines:
            self._take_answer(json.loads(line))

    def _take_answer(self, answer: Mapping[str, Any]) -> None:
        if "started" in answer:
            for attempt in self._attempts.values():
                if attempt.job.folder == answer["folder"]:
                    attempt.pid = answer["started"]
                    if attempt.signal_wanted is not None:
                        self._signal(attempt, attempt.signal_wanted)
            return
        for attempt in self._attempts.values():
            if attempt.pid == answer["exited"]:
                while attempt.link.fileno() >= 0:  # what it still said before it exited
                    self._last_reports += self._read_child(attempt)
                if attempt.end is None:
                    attempt.end = self._post_mortem(attempt, answer["status"])

    def _take_ended(self) -> list[Message]:
        ended = {
            number: attempt.end
            for number, attempt in self._attempts.items()
            if attempt.end is not None and attempt.link.fileno() < 0
        }
        for number in ended:
            attempt = self._attempts.pop(number)
            if self._gpus is not None and attempt.gpu is not None:
                self._gpus.give_back(attempt.gpu)
        reports, self._last_reports = self._last_reports, []
        return [*reports, *ended.values()]

    def _lose_all(self) -> None:
        """The fork server was killed, and its children with it: start another.

        Raises:
            RuntimeError: If another thread has closed this executor meanwhile.
        """
        if self._closed:
            raise RuntimeError("the executor was closed")
        for attempt in self._attempts.values():
            while attempt.link.fileno() >= 0:
                self._last_reports += self._read_child(attempt)
            lost = self._failure(attempt, "worker_lost", "the fork server was killed")
            attempt.end = attempt.end or lost
        self._control.close()
        self._server.wait()
        self._start_server()

    # How a child died.

    def _post_mortem(self, attempt: _Attempt, status: int) -> Failure:
        if attempt.timed_out:
            return self._timeout(attempt)
        if not os.WIFSIGNALED(status):
            code = os.waitstatus_to_exitcode(status)
            return self._failure(attempt, "crash", f"the worker exited with status {code}")
        number = os.WTERMSIG(status)
        if number == signal.SIGKILL and (kills := oom_kills()) > self._oom_kills:
            self._oom_kills = kills
            return self._failure(attempt, "oom", "killed by the kernel: out of memory")
        kind: FailureKind = "worker_lost" if number in FROM_OUTSIDE else "crash"
        return self._failure(attempt, kind, f"the worker died by {signal_name(number)}")

    def _timeout(self, attempt: _Attempt) -> Failure:
        limit_s = attempt.job.time_limit_s or 0.0
        return self._failure(attempt, "timeout", f"took longer than {limit_s:g} s")

    def _failure(self, attempt: _Attempt, kind: FailureKind, message: str) -> Failure:
        cost_s = time.monotonic() - attempt.started_s
        return Failure(attempt.job.number, attempt.job.attempt, kind, message, cost_s)

    # Time limits.

    def _enforce_limits(self) -> None:
        now_s = time.monotonic()
        for attempt in self._attempts.values():
            limit_s = attempt.job.time_limit_s
            if limit_s and not attempt.timed_out and now_s - attempt.started_s >= limit_s:
                attempt.timed_out = True
                attempt.kill_at_s = now_s + KILL_GRACE_S
                self._signal(attempt, signal.SIGTERM)
            elif attempt.kill_at_s is not None and now_s >= attempt.kill_at_s:
                attempt.kill_at_s = None
                self._signal(attempt, signal.SIGKILL)

    def _next_limit_s(self) -> float:
        """Moment of the next deadline, on the monotonic clock."""
        moments = [a.kill_at_s for a in self._attempts.values() if a.kill_at_s is not None]
        moments += [
            a.started_s + a.job.time_limit_s
            for a in self._attempts.values()
            if a.job.time_limit_s and not a.timed_out
        ]
        return min(moments, default=float("inf"))

    def _signal(self, attempt: _Attempt, number: signal.Signals) -> None:
        if not attempt.pid:
            attempt.signal_wanted = number  # sent once the fork server has told the pid
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(attempt.pid, number)
        if number == signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(attempt.pid, number)


def modules_to_preload(function: str, base_folder: str) -> tuple[str, ...]:
    """Installed packages that a function's module imports at its top, but not itself.

    The module itself is left to the child: its code may start threads, or run torch.

    Args:
        function: `module:name`.
        base_folder: First on the import path.
    """
    module = function.partition(":")[0]
    path = Path(base_folder, *module.split(".")).with_suffix(".py")
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ()
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return tuple(name for name in dict.fromkeys(names) if _installed(name, base_folder))


def _installed(name: str, base_folder: str) -> bool:
    top = name.partition(".")[0]
    if (Path(base_folder) / top).exists() or (Path(base_folder) / f"{top}.py").exists():
        return False
    with contextlib.suppress(ImportError, ValueError):
        return importlib.util.find_spec(top) is not None
    return False
