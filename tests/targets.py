"""Objectives that tests run in children: each does one thing that can happen to a trial."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import spiketune
from spiketune.executors.lease import write_result
from spiketune.messages import Result


def quadratic(trial):
    return {"loss": (trial.params["x"] - 0.3) ** 2, "size": trial.params["n"]}


def quick(trial):
    """A few milliseconds of work, told step by step, and a line in a log when it ends."""
    for step in (1, 2, 3):
        time.sleep(0.004)
        trial.report(step, loss=trial.params["x"] / step)
    with (Path(trial.params["log"])).open("a") as log:
        log.write(f"{trial.number}\n")
    return {"loss": (trial.params["x"] - 0.3) ** 2}


def steps(trial):
    """Eight steps towards the parameter, each of them told."""
    for step in range(1, 9):
        loss = 1 - (1 - trial.params["x"]) * step / 8
        trial.report(step, loss=loss)
        if trial.should_stop():
            break
    return {"loss": loss}


def number(trial):
    return trial.params["x"]


def raises(trial):
    raise ValueError("the objective does not like this")


def raises_above_half(trial):
    if trial.params["x"] > 0.5:
        raise ValueError("too large")
    return trial.params["x"]


def raises_above_half_when_let(trial):
    """Two objectives that no value is best in; fails above a half once the file `let` is there."""
    x = trial.params["x"]
    if x > 0.5 and Path(trial.params["let"]).exists():
        raise ValueError("too large")
    return {"loss": x, "size": -x}


def speaks_numpy(trial):
    """Every number that it gives is one of NumPy's."""
    import numpy as np

    for epoch in np.arange(1, 4):
        trial.report(epoch, loss=np.float32(0.5))
    trial.report(np.float32(3.5), loss=0.5)
    trial.set_constraint("small", np.float32(-1.0))
    counts = {np.int64(3): [np.float32(0.5), np.bool_(True)]}
    trial.note(rate=np.float32(0.25), rates=np.array([[0.5, 1.0]]), counts=counts)
    return np.float32(0.5)


def notes_an_object(trial):
    trial.note(fine=1, model=object())
    return 0.0


def costs(trial):
    return {"loss": trial.params["x"], "cost_s": 1e6}


def not_a_number(trial):
    return float("nan")


def lacks_objective(trial):
    return {"accuracy": 0.5}


def exits(trial):
    sys.exit(3)


def out_of_memory(trial):
    raise MemoryError("no more")


def out_of_numpys_memory(trial):
    import numpy as np

    np.ones(2**58)


def out_of_torchs_memory(trial):
    import torch

    torch.ones(2**58)


def out_of_cuda_memory(trial):
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def eats_memory(trial):
    """Takes memory until the kernel has enough of it."""
    taken = []
    while len(taken) < 1000:
        taken.append(b"x" * 2**24)
    return 0.0


def ends_twice(trial):
    """Its result is in its folder a second before it ends, as a slow network shows it."""
    (folder,) = trial.checkpoint_dir.parent.glob("attempt-*")
    write_result(folder, Result(trial.number, trial.attempt, {"loss": trial.params["x"]}))
    time.sleep(1.5)
    return trial.params["x"]


def killed(trial):
    os.kill(os.getpid(), signal.SIGKILL)


def killed_once(trial):
    if trial.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return trial.params["x"]


def segfaults(trial):
    os.kill(os.getpid(), signal.SIGSEGV)


def dies_of_a_nameless_signal(trial):
    os.kill(os.getpid(), 40)


def hangs(trial):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def waits_for_stop(trial):
    trial.report(1, loss=1.0)
    while not trial.should_stop():
        time.sleep(0.01)
    (trial.checkpoint_dir / "step").write_text("1")
    raise spiketune.Preempted


def leaves_slowly(trial):
    """Takes its time to write its checkpoint."""
    trial.report(1, loss=1.0)
    while not trial.should_stop():
        time.sleep(0.01)
    time.sleep(1.5)
    (trial.checkpoint_dir / "step").write_text("1")
    raise spiketune.Preempted


def obeys_then_finishes(trial):
    """Leaves when asked; the next attempt finds the checkpoint and ends at once."""
    if (trial.checkpoint_dir / "step").exists():
        return trial.params["x"]
    return waits_for_stop(trial)


def interrupted(trial):
    """During the first attempt at trial 1, Ctrl-C is pressed `times` times."""
    if (trial.number, trial.attempt) == (1, 1):
        for _ in range(trial.params["times"]):
            signal.raise_signal(signal.SIGINT)
        while not trial.should_stop():
            time.sleep(0.01)
        (trial.checkpoint_dir / "left").touch()
        raise spiketune.Preempted
    return trial.params["x"]


def leaves_a_grandchild(trial):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(trial.params["log"]).write_text(str(process.pid))
    return 0.0


def talks(trial):
    print("to stdout")
    os.system("echo from a shell")
    print("to stderr", file=sys.stderr)
    return {"threads": float(os.environ["OMP_NUM_THREADS"]), "loss": 0.0}


def with_constraint(trial):
    trial.set_constraint("small", trial.params["x"] - 0.5)
    return trial.params["x"]


def with_size(trial):
    trial.set_constraint("small", trial.params["x"] - 0.5)
    return {"loss": trial.params["x"], "size": 10 * trial.params["x"]}


def slow_if_large(trial):
    time.sleep(0.05 if trial.params["x"] < 0.5 else trial.params.get("slow_s", 0.2))
    return trial.params["x"]


def forks_a_pool(trial):
    """Ends only if SIGTERM ends the pool's workers, as `Pool.terminate` expects."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return float(sum(pool.map(abs, [-1, 2])))


def closes_its_output(trial):
    os.close(1)
    sys.stdout.close()
    return trial.params["x"]


def leaves_a_thread(trial):
    threading.Thread(target=time.sleep, args=(600,)).start()
    return trial.params["x"]


def sees_gpus(trial):
    """The number of the one GPU that it may see; -1 if nobody chose one for it."""
    time.sleep(0.3)
    return float(os.environ.get("CUDA_VISIBLE_DEVICES", -1))


def changes_folder(trial):
    os.chdir("/")
    return trial.params["x"]


def exits_at_once(trial):
    os._exit(7)


def lasts(trial):
    """Some seconds, longer than it takes to kill an asker and to start another."""
    trial.report(1, loss=1.0)
    time.sleep(9.0)
    with (Path(trial.params["log"])).open("a") as log:
        log.write(f"{trial.number}\n")
    return trial.params["x"]


def counts_epochs(trial):
    """Trains five epochs with a checkpoint after each, and logs every epoch that is whole."""
    state = trial.checkpoint_dir / "epoch"
    done = int(state.read_text()) if state.exists() else 0
    for epoch in range(done + 1, 6):
        time.sleep(0.15)
        with (Path(trial.params["log"])).open("a") as log:
            log.write(f"{trial.number}:{epoch}\n")
        partial = state.with_suffix(".partial")
        partial.write_text(str(epoch))
        partial.replace(state)
        trial.report(epoch, loss=trial.params["x"])
        if trial.should_stop():
            raise spiketune.Preempted
    return trial.params["x"]


def sums_over_ranks(trial):
    """Divides its work over the ranks of its communicator."""
    total = trial.comm.allreduce(trial.comm.Get_rank() + 1)
    trial.report(1, loss=trial.params["x"])
    assert not trial.should_stop()
    return {"loss": trial.params["x"], "ranks": trial.comm.Get_size(), "sum": total}


def fails_on_every_rank(trial):
    if trial.number == 1:
        raise ValueError("on both")
    return sums_over_ranks(trial)


def one_rank_dies_once(trial):
    if trial.number == 1 and trial.attempt == 1 and trial.comm.Get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return sums_over_ranks(trial)


def noisy(trial):
    """A loss that depends on the seed, and a line in a log for each time that it was measured."""
    if "log" in trial.params:
        with Path(trial.params["log"]).open("a") as log:
            log.write(f"{trial.params['x']} {trial.seed}\n")
    if trial.params["x"] > trial.params.get("crash_above", 2):
        raise ValueError("too large")
    noise = (trial.seed % 1000) / 1000 - 0.5
    trial.set_constraint("small", trial.params["x"] - trial.params.get("bound", 2))
    loss = trial.params["x"] + trial.params.get("noise", 0.1) * noise
    return {"loss": loss, "size": 1 - trial.params["x"]}


def ratio(trial):
    """Whose constraints over `top` and `bottom` may have no value."""
    x = trial.params["x"]
    for step in (1, 2):
        trial.report(step, loss=x, top=1.0, bottom=x)
        if trial.should_stop():
            break
    bottom = x * (trial.seed % 2) if trial.params.get("by_seed") else x
    return {"loss": x, "top": 1.0, "bottom": bottom}


def waits_until_let(trial):
    """Says that it began; ends once the file `let` is there."""
    with Path(trial.params["log"]).open("a") as log:
        log.write(f"{trial.number}\n")
    trial.report(1, loss=1.0)
    while not trial.should_stop():
        if Path(trial.params["let"]).exists():
            return trial.params["x"]
        time.sleep(0.01)
    raise spiketune.Preempted
