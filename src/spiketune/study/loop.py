"""The only loop: ask, submit, listen, tell; asynchronous, and always ready to be killed."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Literal, final

from optuna.trial import FrozenTrial

from spiketune.clock import Clock
from spiketune.errors import SpiketuneError
from spiketune.executors.base import Executor
from spiketune.messages import Failure, Job, Message, Report, Result
from spiketune.samplers.asker import Asker
from spiketune.samplers.grid import GridExhaustedError
from spiketune.study.at_work import Running
from spiketune.study.attempts import RETRIES, may_retry
from spiketune.study.bounds import or_failure
from spiketune.study.budget import Spending, own
from spiketune.study.early_ends import reached
from spiketune.study.feasibility import in_vain, is_due
from spiketune.study.jobs import JobMaker
from spiketune.study.pacing import n_to_ask
from spiketune.study.pauses import Pauses
from spiketune.study.progress import Progress, in_words
from spiketune.study.recording import Recorder
from spiketune.study.records.storage import StudyStorage
from spiketune.study.recovery import Recovery
from spiketune.study.rungs import RungWatch
from spiketune.study.sampler_changes import sampler_fact

_log = logging.getLogger(__name__)

Reason = Literal["budget", "time", "interrupted", "exhausted", "failing", "unsatisfiable"]

POLL_S: Final = 0.5
GRACE_S: Final = 20.0  # for workers to write checkpoints after Ctrl-C
SAME_FAILURES: Final = 10  # as many trials at the start that all fail alike end the study
SAME_MISSING: Final = 3  # or as many that all lack the same metric: a typing error, no chance
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
        self._clock = clock
        self._listen = listen
        self._retries: dict[str, float] = {**dict(RETRIES), **jobs.study.retries}
        self._running: dict[int, Running] = {}
        self._waiting: deque[Running] = deque()
        self._stop_calls = 0
        self._reason: Reason | None = None
        trials, sessions = storage.trials(), storage.sessions()
        self._session = len(sessions)
        self._spending = Spending(jobs.study.budget, trials, sessions, clock)
        self._record = Recorder(storage, jobs)
        self._busy_s = 0.0
        self._n_rejected = 0
        fidelity = jobs.study.fidelity
        self._rungs = RungWatch(fidelity, jobs, own(trials)) if fidelity is not None else None
        if self._rungs is not None:
            executor.listen(lambda message: self._handle([message]))
        self._paused = Pauses(storage, self._rungs)
        self._recovery = Recovery(jobs, executor, self._rungs, self._paused, clock, self._handle)

    def request_stop(self) -> None:
        """Stop asking and let workers write checkpoints; a second call ends them at once."""
        self._stop_calls += 1
        self._executor.interrupt()

    def run(self) -> Reason:
        """Run until done, and say why it ended.

        Everything is on disk whenever this returns or raises.
        """
        facts = {
            "started_s": self._spending.started_s,
            "n_workers": self._executor.n_workers,
            **sampler_fact(self._jobs.study.sampler),
        }
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
        first = next(iter(self._spending.failures), None)
        return f"{first.kind}: {first.message}" if first is not None else None

    # When to go on.

    def _patience_s(self) -> float:
        """How long to wait for an event: no longer than the time budget lasts."""
        return max(0.0, min(self._poll_s, self._spending.left_s))

    def _go_on(self) -> bool:
        if self._stop_calls:
            self._reason = "interrupted"
        elif self._spending.left_s <= 0:
            self._reason = "time"
        elif self._all_fail():
            self._reason = "failing"
        elif self._n_rejected >= REJECTED_IN_A_ROW:
            self._reason = "unsatisfiable"
        elif self._reason is None and not self._wants_more() and not self._has_work():
            self._reason = "budget"
        return self._reason is None or (self._reason == "exhausted" and self._has_work())

    def _all_fail(self) -> bool:
        n_alike = self._spending.n_alike
        lacking = n_alike and self._spending.failures[0].kind == "missing"
        return n_alike >= (SAME_MISSING if lacking else SAME_FAILURES)

    @property
    def _in_flight(self) -> int:
        return len(self._running) + len(self._waiting) + len(self._paused)

    def _has_work(self) -> bool:
        return bool(self._running or self._waiting) or self._next_promoted() is not None

    def _wants_more(self) -> bool:
        return self._reason is None and self._spending.wants(self._in_flight)

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
        self._asker.spent = self._spending.share(self._in_flight)
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
            proposal = self._asker.complete(enqueued.system_attrs.get("fixed_params", {}))
        except SpiketuneError as error:
            failure = {"kind": "crash", "message": str(error)}
            self._storage.fail(enqueued, {"ended": "failed", "failure": failure})
            self._spending.n_failed += 1
            self._say_if_in_vain()
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
        end = or_failure(end, self._jobs.constraints)
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
            attributes = self._record.attributes(running)
            self._paused.add(running, so_far, *self._record.measured(so_far), attributes)
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
        running.end_attempt(now_s, outcome, text)

    def _complete(self, running: Running, result: Result) -> None:
        self._record.complete(running, result)
        if self._rungs is not None:
            self._rungs.ended(result.number, result.ended)
        del self._running[running.trial.number]
        self._spending.n_done += 1
        self._say_if_in_vain()

    def _repeat_or_fail(self, running: Running, failure: Failure) -> None:
        stopping = self._stop_calls or self._reason in ("interrupted", "time")
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
        self._record.fail(running, failure)
        del self._running[running.trial.number]
        self._spending.failed(failure)
        self._say_if_in_vain()

    def _say_if_in_vain(self) -> None:
        """Say now and then that nothing feasible was seen, whatever the sampler."""
        n = self._spending.n_ended
        if is_due(n) and (words := in_vain(self._record.rows(), n)) is not None:
            _log.warning(words)

    def _tell_listener(self, message: Message | None) -> None:
        budget = self._jobs.study.budget
        self._listen(
            Progress(
                n_done=self._spending.n_done,
                n_failed=self._spending.n_failed,
                n_target=budget.trials,
                running=tuple(self._running.values()),
                n_workers=self._executor.n_workers,
                elapsed_s=self._spending.elapsed_s,
                time_budget_s=budget.time,
                now_s=self._clock.now_s(),
                ended_busy_s=self._busy_s,
                event=in_words(message, tuple(self._jobs.study.objectives)),
            )
        )

    # Begin where the last session ended, and end so that the next can begin.

    def _recover(self) -> None:
        """Tell what finished while nobody listened, and put the rest back in the queue."""
        self._record.tidy()
        for found in self._recovery.found(self._storage.trials()):
            running, number = found.running, found.running.trial.number
            if found.adopted:
                self._running[number] = running
                if running.stopped is not None:
                    self._executor.cancel(number)
            elif found.end is None:
                self._waiting.append(running)
            else:
                self._running[number] = running
                self._end(running, found.end)

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
