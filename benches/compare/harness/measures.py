"""What is measured, in which order.

A round starts every peer anew and gives each measurement to all of them in turn before the next one comes, so
that what else the machine does falls on all alike. Each round begins with another peer.
"""

import contextlib
import sys
import time

from . import load
from .load import Void
from .processes import Failure
from .upstream import Upstream

DIRECT = "direct"
# For what a process still does after its start.
SETTLE_SECONDS = 1
RATES = (4000, 1000, 250, 10000)
# Room for the load and some; nginx sets memory aside for each.
CONNECTIONS = 500
IN_FLIGHT = 2000
IDLE_CONNECTIONS = 10000
# Connections beside those that are measured, and descriptors that are none.
OTHER_CONNECTIONS = 100
OTHER_FILES = 100


def memory_counts(files):
    """How many messages in flight and idle connections a process can have that may open so many files: two for
    each connection, which HAProxy wants even for idle ones."""
    most = (files - OTHER_FILES) // 2 - OTHER_CONNECTIONS
    return min(IN_FLIGHT, most), min(IDLE_CONNECTIONS, most)


class Measures:
    """The cells of one table: for each peer and figure a value of each round, or why there is none."""

    def __init__(self, peers, is_tls):
        self.peers = [peer.name for peer in peers]
        self.is_tls = is_tls
        self.cells = {name: {} for name in [*self.peers, DIRECT]}
        self.sessions = {}

    def put(self, name, **figures):
        """Adds the figures of a round."""
        for figure, value in figures.items():
            self.cells[name].setdefault(figure, []).append(value)

    def voids(self):
        """Each cell that a wrong answer voided, and why; a cell that failed twice is told once."""
        found = {}
        for name, figures in self.cells.items():
            for figure, values in figures.items():
                for value in values:
                    if isinstance(value, Void):
                        found.setdefault((name, str(value)), []).append(figure)
        return [(name, figures, why) for (name, why), figures in found.items()]


class Comparison:
    """Everything that measuring takes."""

    def __init__(self, peers, binaries, folder, options):
        self.peers = peers
        self.binaries = binaries
        self.folder = folder
        self.options = options
        self.started = 0

    def measure(self, is_tls):
        """All rounds with one kind of upstream."""
        measures = Measures(self.peers, is_tls)
        with contextlib.ExitStack() as stack:
            upstream = Upstream(self.binaries.upstream, self.folder, is_tls)
            stack.callback(upstream.stop)
            for number in range(self.options.rounds):
                first = number % len(self.peers)
                peers = self.peers[first:] + self.peers[:first]
                tell(f"{upstream.scheme} upstream, round {number + 1} of {self.options.rounds}")
                self._loads(measures, peers, upstream)
                for peer in peers:
                    self._memory(measures, peer, upstream)
        return measures

    def smoke(self, is_tls):
        """Whether every peer answers as it should, with a little of everything."""
        measures = Measures(self.peers, is_tls)
        with contextlib.ExitStack() as stack:
            upstream = Upstream(self.binaries.upstream, self.folder, is_tls)
            stack.callback(upstream.stop)
            for peer in self.peers:
                tell(f"{upstream.scheme} upstream: {peer.name}")
                running = self._start(stack, peer, upstream, CONNECTIONS)
                cells = {
                    "answers": lambda running=running: load.answers_as_it_should(running),
                    "in_flight_kib": lambda running=running: load.in_flight(running, upstream, 50),
                    "idle_connection_bytes": lambda running=running: load.idle_connections(running, 50),
                    "cpu_us_1000": lambda running=running: self._load(running, upstream, 1, 1000).cpu_us,
                    "cpu_us_max": lambda running=running: self._load(running, upstream, 1).cpu_us,
                }
                for figure, cell in cells.items():
                    measures.put(peer.name, **{figure: attempt(upstream, running, cell)})
                running.stop()
            call = lambda: self._load(None, upstream, 1, 1000).p50_ms
            measures.put(DIRECT, p50_ms_1000=attempt(upstream, None, call))
        return measures

    def _start(self, stack, peer, upstream, connections):
        self.started += 1
        running = peer.start(upstream, f"{self.folder}/{self.started}-{peer.name}", connections)
        stack.callback(running.stop)
        return running

    def _load(self, running, upstream, seconds, rate=None):
        if running is None:
            ca = upstream.ca if upstream.is_tls else None
            return load.run(self.binaries.load, upstream.url, [], seconds, rate, ca)
        return load.run(self.binaries.load, running.url, running.process.pids(), seconds, rate)

    def _loads(self, measures, peers, upstream):
        with contextlib.ExitStack() as stack:
            running = [self._start(stack, peer, upstream, CONNECTIONS) for peer in peers]
            time.sleep(SETTLE_SECONDS)
            for one in running:
                measures.put(one.peer.name, idle_mib=one.process.resident_kib() / 1024)
            for one in running:
                tell(f"  {one.peer.name}: as fast as it can")
                self._full(measures, one, upstream)
            for rate in RATES:
                tell(f"  {rate} messages/s: {DIRECT}, {', '.join(one.peer.name for one in running)}")
                for one in [None, *running]:
                    self._calm(measures, one, upstream, rate)
            for one in running:
                measures.put(one.peer.name, after_mib=one.process.resident_kib() / 1024)

    def _full(self, measures, running, upstream):
        call = lambda: self._load(running, upstream, self.options.seconds)
        result = attempt(upstream, running, call)
        name = running.peer.name
        if isinstance(result, Void):
            measures.put(name, cpu_us_max=result, rate_max=result, busy_percent=result)
            return
        busy = result.rate * result.cpu_us / 1e4
        measures.put(name, cpu_us_max=result.cpu_us, rate_max=result.rate, busy_percent=busy)

    def _calm(self, measures, running, upstream, rate):
        call = lambda: self._load(running, upstream, self.options.seconds, rate)
        result = attempt(upstream, running, call)
        is_void = isinstance(result, Void)
        name = running.peer.name if running else DIRECT
        # A rate that is never carried is no wrong answer: it is a latency without end.
        times = {"p50": result, "p99": result} if is_void else {"p50": result.p50_ms, "p99": result.p99_ms}
        for figure, value in times.items():
            measures.put(name, **{f"{figure}_ms_{rate}": value})
        measures.put(name, **{f"late_ms_{rate}": result if is_void else result.late_ms})
        if running:
            measures.put(name, **{f"cpu_us_{rate}": result if is_void else result.cpu_us})

    def _memory(self, measures, peer, upstream):
        """Each in a process of its own, since allocators do not give back what they once had."""
        flying, idle = memory_counts(self.options.files)
        tell(f"  {peer.name}: {flying} messages in flight, {idle} idle connections")
        cells = {
            "in_flight_kib": (flying, lambda running: load.in_flight(running, upstream, flying)),
            "idle_connection_bytes": (idle, lambda running: load.idle_connections(running, idle)),
        }
        for figure, (connections, cell) in cells.items():
            with contextlib.ExitStack() as stack:
                running = self._start(stack, peer, upstream, connections + OTHER_CONNECTIONS)
                time.sleep(SETTLE_SECONDS)
                before = upstream.stats()
                call = lambda cell=cell, running=running: cell(running)
                measures.put(peer.name, **{figure: attempt(upstream, running, call)})
                if figure == "in_flight_kib":
                    after = upstream.stats()
                    sessions = {key: after[key] - before[key] for key in ("handshakes", "resumed")}
                    measures.sessions.setdefault(peer.name, []).append(sessions)


def attempt(upstream, running, measurement):
    """The figure, or why it is void: an answer was wrong, or the upstream got something that is not Cloud's.

    What merely passes messages on answers rightly too, and does less: a peer that rewrites has to have rewritten all.
    """
    before = upstream.stats()
    try:
        result = measurement()
    except Void as void:
        result = void
    if running:
        try:
            running.process.check()
        except Failure as failure:
            return Void(str(failure))
    stats = upstream.stats()
    wrong, requests, rewritten = (stats[key] - before[key] for key in ("wrong", "requests", "rewritten"))
    if wrong:
        return Void(f"the upstream got {wrong} wrong messages, at first {stats['first_wrong']}")
    # Of a measurement that is void anyway some may still be under way.
    if running and running.peer.rewrites and rewritten != requests and not isinstance(result, Void):
        return Void(f"{requests - rewritten} of {requests} messages were passed on as they came")
    return result


def tell(line):
    """Progress, which is no part of the result."""
    print(line, file=sys.stderr, flush=True)
