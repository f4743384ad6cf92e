"""Processes that this script started, and their ends."""

import pathlib
import shutil
import signal
import socket
import subprocess
import time

# How long a process may take to listen, and to end.
PATIENCE = 15


class Failure(Exception):
    """Something without which there is nothing to measure."""


def free_port():
    """A port of loopback that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Process:
    """One that runs on one core, and ends with this script even if the script is killed."""

    def __init__(self, name, command, core, log, **options):
        self.name = name
        self.log = pathlib.Path(log)
        prefix = ["taskset", "--cpu-list", str(core)]
        if shutil.which("setpriv"):
            prefix = ["setpriv", "--pdeathsig", "TERM", *prefix]
        options.setdefault("stdin", subprocess.DEVNULL)
        with open(log, "ab") as output:
            options.setdefault("stdout", output)
            # Neither setpriv nor taskset forks: the process has the id of what they start.
            self.process = subprocess.Popen([*prefix, *command], stderr=output, **options)

    def pids(self):
        """It and its children: workers are what does the work."""
        pid = self.process.pid
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        except OSError:
            children = ""
        return [pid, *map(int, children.split())]

    def resident_kib(self):
        """Resident memory of all of its processes; what they share counts for each."""
        total = 0
        for pid in self.pids():
            status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            total += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        return total

    def wait_until_it_listens(self, port):
        """Until somebody accepts there; no request is sent."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.check()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failure(f"{self.name} does not listen after {PATIENCE} s\n{self.last_lines()}")

    def check(self):
        """Fails when it has ended."""
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended with {self.process.returncode}\n{self.last_lines()}")

    def last_lines(self):
        """The end of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
        except OSError:
            return ""

    def stop(self):
        """Ends it by its id, with force if it takes too long."""
        if self.process.poll() is None:
            pids = self.pids()
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                for pid in pids[1:]:
                    subprocess.run(["kill", "-KILL", str(pid)], check=False, capture_output=True)
                self.process.kill()
                self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()
