"""The only loop: ask, submit, listen, tell; asynchronous, and always ready to be killed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, final

from optuna.trial import FrozenTrial, TrialState

from spiketune.clock import Clock
from spiketune.errors import SpiketuneError
from spiketune.executors.base import Executor
from spiketune.messages import Failure, Job, Message, Report, Result
from spiketune.samplers.asker import Asker
from spiketune.samplers.grid import GridExhaustedError
from spiketune.samplers.paused import rung_of
from spiketune.samplers.paused import waits as is_paused
from spiketune.study.attempts import RETRIES, may_retry, worker_alive
from spiketune.study.budget import n_counted, own, uptime_s
from spiketune.study.early_ends import reached
from spiketune.study.housekeeping import Housekeeper
from spiketune.study.jobs import JobMaker
from spiketune.study.pacing import n_to_ask
from spiketune.study.pauses import Pauses
from spiketune.study.progress import Progress as Progress
from spiketune.study.progress import in_words
from spiketune.study.recovery import Running, is_ours, revive, what_became_of
from spiketune.study.rungs import RungWatch, columns_of
from spiketune.study.storage import StudyStorage

Reason = Literal["budget", "time", "interrupted", "exhausted", "failing", "unsatisfiable"]

POLL_S: Final = 0.5
GRACE_S: Final = 20.0  # for workers to write checkpoints after Ctrl-C
_ADOPTION_POLL_S: Final = 0.05
ADOPTION_S: Final = 5.0  # children of a dead asker are gone after 2 s
SAME_FAILURES: Final = 10  # as many trials at the start that all fail alike end the study
REJECTED_IN_A_ROW: Final = 20  # each of them stands for 100 draws


@final
class StudyLoop:
    """Runs a study until its budget is spent or it is told to stop.

    Args:
        storage: The journal, held by this process.
        asker: Chooses configurations.
        executor: Runs attempts.
        jobs: Makes jobs.
        clock: The time.
        listen: Told after every event, and every `poll_s` without one.
        poll_s: Longest wait for an event in seconds.
    """

    def __init__(
        self,
        storage: StudyStorage,
        asker: Asker,
        executor: Executor,
        jobs: JobMaker,
        clock: Clock,
        listen: Callable[[Progress], None] = lambda progress: None,
        poll_s: float = POLL_S,
    ) -> None:
        self._poll_s = poll_s
        self._storage = storage
        self._asker = asker
        self._executor = executor
        self._jobs = jobs
        space = jobs.configuration.space
        self._housekeeper = Housekeeper(jobs.folder, jobs.study, space)
        self._clock = clock
        self._listen = listen
        self._retries: dict[str, float] = {**dict(RETRIES), **jobs.study.retries}
        self._running: dict[int, Running] = {}
        self._waiting: deque[Running] = deque()
        self._stop_calls = 0
        self._reason: Reason | None = None
        trials = own(storage.trials())
        self._n_done = sum(t.state == TrialState.COMPLETE for t in trials)
        self._n_failed = n_counted(trials) - self._n_done
        self._before_s = uptime_s(storage.sessions(), trials)
        self._session = len(storage.sessions())
        self._started_s = clock.now_s()
        self._busy_s = 0.0
        self._failures: list[str] = []
        self._n_rejected = 0
        fidelity = jobs.study.fidelity
        self._rungs = RungWatch(fidelity, jobs, trials) if fidelity is not None else None
        if self._rungs is not None:
            executor.listen(lambda message: self._handle([message]))
        self._paused = Pauses(storage, self._rungs)

    def request_stop(self) -> None:
        """Stop asking and let workers write checkpoints; a second call ends them at once."""
        self._stop_calls += 1

    def run(self) -> Reason:
        """Run until done, and say why it ended.

        Everything is on disk whenever this returns or raises.
        """
        facts = {"started_s": self._started_s, "n_workers": self._executor.n_workers}
        self._storage.set_session(self._session, facts)
        try:
            self._recover()
            while self._go_on():
                self._fill()
                if self._running or not self._executor.free_slots:  # or others take every GPU
                    self._handle(self._executor.events(self._patience_s()))
            self._drain()
            self._release()
        finally:
            self._executor.close()
            ended = {**facts, "ended_s": self._clock.now_s()}
            self._storage.set_session(self._session, ended)
        return self._reason or "budget"

    @property
    def first_failure(self) -> str | None:
        """Message of the first failed trial of this session."""
        return self._failures[0] if self._failures else None

    # When to go on.

    def _elapsed_s(self) -> float:
        return self._before_s + self._clock.now_s() - self._started_s

    def _patience_s(self) -> float:
        """How long to wait for an event: no longer than the time budget lasts."""
        limit_s = self._jobs.study.budget.time
        left_s = limit_s - self._elapsed_s() if limit_s else self._poll_s
        return max(0.0, min(self._poll_s, left_s))

    def _go_on(self) -> bool:
        if self._stop_calls:
            self._reason = "interrupted"
        elif (limit_s := self._jobs.study.budget.time) and self._elapsed_s() >= limit_s:
            self._reason = "time"
        elif self._alike() >= SAME_FAILURES:
            self._reason = "failing"
        elif self._n_rejected >= REJECTED_IN_A_ROW:
            self._reason = "unsatisfiable"
        elif self._reason is None and not self._wants_more() and not self._has_work():
            self._reason = "budget"
        return self._reason is None or (self._reason == "exhausted" and self._has_work())

    def _spent(self) -> float:
        """Share of the budget that is spent, by whichever of trials and time is further."""
        budget = self._jobs.study.budget
        asked = self._n_done + self._n_failed + self._in_flight
        shares = [asked / budget.trials] if budget.trials else []
        shares += [self._elapsed_s() / budget.time] if budget.time else []
        return min(1.0, max(shares, default=0.0))

    def _alike(self) -> int:
        """Failed trials, if nothing else came yet and all failed with the same words."""
        return len(self._failures) if not self._n_done and len(set(self._failures)) == 1 else 0

    @property
    def _in_flight(self) -> int:
        return len(self._running) + len(self._waiting) + len(self._paused)

    def _has_work(self) -> bool:
        return bool(self._running or self._waiting) or self._next_promoted() is not None

    def _wants_more(self) -> bool:
        target = self._jobs.study.budget.trials
        counted = self._n_done + self._n_failed + self._in_flight
        return self._reason is None and (target is None or counted < target)

    # Ask and submit.

    def _fill(self) -> None:
        while self._executor.free_slots > 0 and self._n_rejected < REJECTED_IN_A_ROW:
            if self._waiting:
                self._submit(self._waiting.popleft())
            elif (number := self._next_promoted()) is not None:
                self._submit(self._paused.promote(number))
            elif not self._ask_some():
                return

    def _next_promoted(self) -> int | None:
        """The paused trial that goes on before anything new begins."""
        last = not (self._running or self._waiting or self._wants_more())
        return self._paused.next(last=last)

    def _ask_some(self) -> bool:
        """Ask for as many configurations as are due now; false if there are none to be had."""
        returns = self._jobs.study.returns
        due = n_to_ask(returns, self._executor.n_workers, len(self._running))
        n_asked = 0
        while n_asked < due and self._wants_more() and self._ask():
            n_asked += 1
        return n_asked > 0

    def _ask(self) -> bool:
        """Ask for one configuration, to be started next; false if there is none to be had."""
        enqueued = self._asker.enqueued()
        if enqueued is not None:
            self._start_enqueued(enqueued)
            return True
        self._asker.spent = self._spent()
        try:
            proposal, accepted = self._asker.ask()
        except GridExhaustedError:
            self._reason = "exhausted"
            return False
        trial = self._storage.add(proposal, rejected=not accepted)
        self._n_rejected = 0 if accepted else self._n_rejected + 1
        if accepted:
            self._waiting.append(Running(trial, proposal.values))
        return self._n_rejected < REJECTED_IN_A_ROW

    def _start_enqueued(self, enqueued: FrozenTrial) -> None:
        """Start a trial that someone enqueued by hand, or fail it if its values are none."""
        try:
            proposal, _ = self._asker.ask(enqueued.system_attrs.get("fixed_params", {}))
        except SpiketuneError as error:
            failure = {"kind": "crash", "message": str(error)}
            self._storage.fail(enqueued, {"ended": "failed", "failure": failure})
            self._n_failed += 1
            return
        self._waiting.append(Running(self._storage.claim(enqueued, proposal), proposal.values))

    def _submit(self, running: Running) -> None:
        number = running.trial.number
        running.started_s = self._clock.now_s()
        self._running[number] = running
        if self._rungs is not None:
            self._rungs.begin(number, running.values)
        try:
            job: Job = self._jobs.job(number, running.attempt, running.values)
        except SpiketuneError as error:  # a computed leaf that has no value for these values
            failure = Failure(number, running.attempt, "crash", str(error))
            self._end_attempt(running, failure.kind, failure.message)
            self._fail(running, failure)
        else:
            running.worker = self._executor.submit(job)

    # Listen and tell.

    def _handle(self, messages: Sequence[Message]) -> None:
        for heard in messages:
            message: Message | None = heard
            running = self._running.get(heard.number)
            if running is None or heard.attempt != running.attempt:
                continue  # the first valid result won; this one comes twice or too late
            if isinstance(heard, Report):
                running.reports[heard.fidelity] = heard
                self._judge(running, heard)
            else:
                message = self._end(running, heard)
            self._tell_listener(message)
        if not messages:
            self._tell_listener(None)

    def _judge(self, running: Running, report: Report) -> None:
        """Let a trial go on or end, by its reports so far."""
        if self._rungs is None:
            return
        verdict = self._rungs.heard(report)
        if running.stopped is None and verdict is not None:
            running.stopped = verdict
            self._executor.cancel(report.number)

    def _end(self, running: Running, end: Result | Failure) -> Result | Failure | None:
        """What the end of an attempt means for its trial; None if the trial only waits now."""
        if isinstance(end, Result):
            self._end_attempt(running, end.ended)
            self._complete(running, end)
        elif running.stopped is None:
            self._end_attempt(running, end.kind, end.message)
            self._repeat_or_fail(running, end)
        else:  # whatever it failed with, it was not to go on
            return self._leave_at_rung(running)
        return end

    def _leave_at_rung(self, running: Running) -> Result | Failure | None:
        """A trial that was not let go on ends, or waits, with what it reported last."""
        waits = self._rungs is not None and self._rungs.pauses
        self._end_attempt(running, "paused" if waits else "stopped", running.stopped or "")
        so_far = reached(running, self._jobs)
        if isinstance(so_far, Failure):
            running.history[-1]["outcome"] = so_far.kind
            running.stopped = None
            self._repeat_or_fail(running, so_far)
        elif waits:
            del self._running[running.trial.number]
            attributes = self._attributes(running)
            self._paused.add(running, so_far, *self._values(so_far), attributes)
            return None
        else:
            self._complete(running, so_far)
        return so_far

    def _release(self) -> None:
        """Nothing more will be promoted: what waits has ended, unless a session may go on."""
        if self._reason not in ("budget", "exhausted"):
            return
        for running in self._paused.pop_all():
            self._running[running.trial.number] = running
            so_far = reached(running, self._jobs)
            if isinstance(so_far, Result):
                self._complete(running, so_far)
            else:
                self._fail(running, so_far)
            self._tell_listener(so_far)

    def _end_attempt(self, running: Running, outcome: str, text: str = "") -> None:
        now_s = self._clock.now_s()
        self._busy_s += now_s - running.started_s
        running.history.append(
            {
                "attempt": running.attempt,
                "worker": running.worker,
                "started_s": running.started_s,
                "ended_s": now_s,
                "outcome": outcome,
                **({"message": text} if text else {}),
                **({"fidelity": running.fidelity} if running.fidelity is not None else {}),
            }
        )

    def _complete(self, running: Running, result: Result) -> None:
        attributes = {
            "ended": result.ended,
            "fidelity": result.fidelity,
            "metrics": dict(result.metrics),
            "cost_s": result.cost_s,
            **self._attributes(running),
            **({"details": dict(result.details)} if result.details else {}),
        }
        values, constraints = self._values(result)
        self._storage.complete(running.trial, values, constraints, attributes)
        if self._rungs is not None:
            self._rungs.ended(result.number, result.ended)
        self._forget(running)
        self._n_done += 1

    def _values(self, result: Result) -> tuple[list[float], dict[str, float]]:
        """Objective values and constraints of a result."""
        measured = {rule.text: rule(result.metrics) for rule in self._jobs.constraints}
        values = [result.metrics[name] for name in self._jobs.study.objectives]
        return values, {**measured, **result.constraints}

    def _repeat_or_fail(self, running: Running, failure: Failure) -> None:
        stopping = self._reason in ("interrupted", "time")
        if stopping and failure.kind in ("preempted", "worker_lost"):
            running.history[-1]["outcome"] = "interrupted"
        elif not may_retry(failure.kind, running.history, self._retries):
            self._fail(running, failure)
            return
        self._storage.set_attempts(running.trial, running.history)
        del self._running[running.trial.number]
        running.attempt += 1
        self._waiting.append(running)

    def _fail(self, running: Running, failure: Failure) -> None:
        attributes = {
            "ended": "failed",
            "failure": {"kind": failure.kind, "message": failure.message},
            **self._attributes(running),
        }
        self._storage.fail(running.trial, attributes)
        self._forget(running, failed=True)
        self._n_failed += 1
        self._failures.append(f"{failure.kind}: {failure.message}")

    def _attributes(self, running: Running) -> dict[str, Any]:
        """What of a trial's attempts goes into the record; reports as columns."""
        curves = {"reports": columns_of(running.reports)} if running.reports else {}
        return {"attempts": running.history, **curves}

    def _forget(self, running: Running, *, failed: bool = False) -> None:
        del self._running[running.trial.number]
        trials = self._storage.trials()
        self._housekeeper.after(running.trial.number, failed=failed, trials=trials)

    def _tell_listener(self, message: Message | None) -> None:
        budget = self._jobs.study.budget
        self._listen(
            Progress(
                n_done=self._n_done,
                n_failed=self._n_failed,
                n_target=budget.trials,
                running=tuple(self._running.values()),
                n_workers=self._executor.n_workers,
                elapsed_s=self._elapsed_s(),
                time_budget_s=budget.time,
                now_s=self._clock.now_s(),
                ended_busy_s=self._busy_s,
                event=in_words(message, tuple(self._jobs.study.objectives)),
            )
        )

    # Begin where the last session ended, and end so that the next can begin.

    def _recover(self) -> None:
        """Tell what finished while nobody listened, and put the rest back in the queue."""
        trials = self._storage.trials()
        self._housekeeper.tidy(trials)
        folder, space = self._jobs.folder, self._jobs.configuration.space
        ours = list(filter(is_ours, trials))
        for trial in sorted(ours, key=is_paused, reverse=True):  # others are judged beside them
            running = revive(trial, space, folder, self._clock.now_s())
            if is_paused(trial) and self._paused.take_up(running):
                continue
            self._judge_again(running)
            if self._adopt(running):
                continue
            self._wait_for_worker(folder.attempt(trial.number, running.attempt))
            end = what_became_of(running, folder)
            if end is None:
                running.stopped = None  # it was let go on when it reported
                self._waiting.append(running)
                continue
            self._running[trial.number] = running
            self._end(running, end)

    def _judge_again(self, running: Running) -> None:
        """The last session may have ended between a report and its verdict."""
        if self._rungs is None:
            return
        self._rungs.begin(running.trial.number, running.values)
        passed = float((rung_of(running.trial) or {}).get("fidelity") or 0.0)
        self._rungs.take_in({f: r for f, r in running.reports.items() if f <= passed})
        for fidelity in sorted(f for f in running.reports if f > passed):
            verdict = self._rungs.heard(running.reports[fidelity])
            running.stopped = running.stopped or verdict

    def _adopt(self, running: Running) -> bool:
        """Take over an attempt that goes on without its asker, under a scheduler."""
        number = running.trial.number
        try:
            job = self._jobs.job(number, running.attempt, running.values)
        except SpiketuneError:
            return False  # no attempt was ever submitted
        worker = self._executor.adopt(job)
        if worker is not None:
            running.worker = worker
            self._running[number] = running
            if running.stopped is not None:
                self._executor.cancel(number)
        return worker is not None

    def _wait_for_worker(self, attempt_folder: Path) -> None:
        """A worker of the dead asker may still be about to write its result."""
        deadline_s = self._clock.now_s() + ADOPTION_S
        while worker_alive(attempt_folder) and self._clock.now_s() < deadline_s:
            self._executor.events(_ADOPTION_POLL_S)

    def _drain(self) -> None:
        """After a stop: let workers write their checkpoints and hear what still comes."""
        for number in list(self._running):
            self._executor.cancel(number)
        deadline_s = self._clock.now_s() + GRACE_S
        while self._running and self._clock.now_s() < deadline_s:
            if self._stop_calls > 1:
                break
            self._handle(self._executor.events(min(self._poll_s, GRACE_S)))
        for running in self._running.values():
            self._end_attempt(running, "interrupted")
            self._storage.set_attempts(running.trial, running.history)
        self._running.clear()
