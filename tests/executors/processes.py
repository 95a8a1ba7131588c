"""A scheduler whose jobs are processes of this machine: it starts all of them at once."""

import os
import signal
import subprocess

from spiketune.executors.scheduler import Observed, Scheduler


class Processes(Scheduler):
    """Runs the scripts of jobs as a batch scheduler would; `end` kills what is left."""

    name = "processes"

    def __init__(self):
        self.jobs = {}

    def directives(self, config, name, folder):
        return [f"exec > {folder}/stdout 2> {folder}/stderr"]

    def submit(self, script):
        job_id = str(len(self.jobs) + 1)
        environment = {**os.environ, "SLURM_JOB_ID": job_id}
        self.jobs[job_id] = subprocess.Popen(["bash", str(script)], env=environment)
        return job_id

    def observe(self, ids):
        running, ended = Observed("running", "RUNNING"), Observed("ended", "EXITED")
        return {i: running if self.jobs[i].poll() is None else ended for i in ids}

    def find(self, name):
        return None

    def stop(self, job_id):
        self.jobs[job_id].send_signal(signal.SIGUSR1)

    def kill(self, job_id):
        self.jobs[job_id].kill()

    def end(self):
        for process in self.jobs.values():
            process.kill()
            process.wait()
