"""A session that begins where the last one ended."""

from spiketune.clock import VirtualClock
from spiketune.executors.lease import claim
from spiketune.executors.simulated import SimulatedExecutor
from spiketune.study.records.folder import StudyFolder
from tests.study.support import document, ended, loop_of, make


def test_what_an_adopted_attempt_says_while_another_is_waited_for_is_heard(tmp_path):
    make(tmp_path / "s", document(budget={"trials": 2}, sampler={"name": "random"}))
    clock = VirtualClock(1_000_000.0)

    def session():
        executor = SimulatedExecutor(lambda job: [(1.0, ended(job))], 2, clock)
        loop, storage = loop_of(tmp_path / "s", executor, clock, poll_s=1e6)
        return executor, loop, storage

    _, loop, storage = session()
    loop._listen = lambda progress: loop.request_stop()
    loop._executor.submit = lambda job: "a worker that says nothing"
    loop._executor.events = lambda timeout_s: clock.advance_to(clock.now_s() + 60.0) or ()
    assert loop.run() == "interrupted"
    storage.close()
    # Both attempts are under way when the asker comes back, but only one can be taken over.
    attempt = StudyFolder(tmp_path / "s").attempt(1, 2)
    attempt.mkdir(parents=True)
    claim(attempt)  # by this process, which lives
    executor, loop, storage = session()
    executor.adopt = lambda job: executor.submit(job) if job.number == 0 else None
    assert loop.run() == "budget"
    outcomes = [[a["outcome"] for a in t.user_attrs["attempts"]] for t in storage.trials()]
    assert outcomes[0] == ["interrupted", "finished"]  # said within the 5 s that the other had
    assert outcomes[1] == ["interrupted", "interrupted", "finished"]
