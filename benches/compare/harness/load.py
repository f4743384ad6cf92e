"""The load: `prembridge bench` where it has to be fast, and connections of this script where it has to be exact."""

import dataclasses
import http.client
import json
import math
import os
import select
import statistics
import subprocess

from .machine import LOAD_CORE
from .processes import PATIENCE
from .upstream import CLIENT_TOKEN

TOKEN_VARIABLE = "PREMBRIDGE_BENCH_TOKEN"
CONNECTIONS = 64
# The part of the rate that has to be answered within a second for its latencies to count, as in the load generator.
ENOUGH = 0.99
# How many windows the best is taken from.
WINDOWS = 5
TEXT = "Hello Jane, your order 0815 has been shipped."


class Void(Exception):
    """A measurement with a wrong or missing answer: it says nothing."""


@dataclasses.dataclass
class Load:
    """What a run of the load generator saw."""

    rate: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    late_ms: float


def run(binary, url, pids, seconds, rate=None, ca=None):
    """Sends messages at a rate, or as fast as answers come, and checks every answer."""
    command = [binary, "bench", "--url", url, "--made-up", "--duration", f"{seconds}s", "--warmup", "1s", "--json"]
    command += ["--connections", str(CONNECTIONS), "--token-env", TOKEN_VARIABLE]
    command += ["--rate", str(rate)] if rate else ["--profile", "max"]
    command += ["--ca-file", ca] if ca else []
    for pid in pids:
        command += ["--pid", str(pid)]
    told = subprocess.run(
        ["taskset", "--cpu-list", str(LOAD_CORE), *command],
        env={**os.environ, TOKEN_VARIABLE: CLIENT_TOKEN},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    # 1 says that the rate was not carried, which is a result.
    if told.returncode not in (0, 1) or not told.stdout.strip():
        raise Void(f"the load generator ended with {told.returncode}: {told.stderr.strip()[-300:]}")
    return read(json.loads(told.stdout), pids)


def read(told, pids):
    """The figures of a report; void unless every message was answered, and rightly."""
    if told["failed"] or not told["sent"] or told["answered"] != told["sent"]:
        kinds = ", ".join(f"{count} x {kind}" for kind, count in told["failures"].items())
        raise Void(f"{told['answered']} of {told['sent']} answered ({kinds or 'no failure named'})")
    processes = [process for process in told["processes"] if process["pid"] in pids]
    windows = whole_windows(told)
    return Load(
        rate=told["messages_per_second"],
        cpu_us=sum(process["cpu_us_per_message"] for process in processes),
        p50_ms=min((window["p50_ms"] for window in windows), default=math.inf),
        p99_ms=min((window["p99_ms"] for window in windows), default=math.inf),
        late_ms=(told["pacer_late_ms"] or {}).get("p99"),
    )


def whole_windows(told):
    """The seconds in which the rate was carried; the machine is not ours alone, so the best of them says most.

    Answers belong to the second in which they come. What comes after the end makes a window of its own, of a few
    quick answers, and a second in which the proxy stood still has only those from before: neither is a best second.
    """
    if not told["rate"]:
        return []
    counted = [window for window in told["windows"] if window["second"] < told["duration_seconds"]]
    return [window for window in counted[:WINDOWS] if window["answered"] >= ENOUGH * told["rate"]]


class Client:
    """One connection, with a recipient of its own."""

    def __init__(self, running, index):
        self.peer = running.peer
        self.to = f"1650{index:07}"
        self.connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE + 5)

    def send(self, token=CLIENT_TOKEN):
        """Sends a text and does not wait."""
        message = {"to": self.to, "type": "text", "recipient_type": "individual", "preview_url": False}
        message["text"] = {"body": TEXT}
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.connection.request("POST", "/v1/messages", json.dumps(message), headers)

    def receive(self):
        """Waits for the answer: its status and body."""
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def take(self):
        """Waits for the answer, which has to be the one to this very message."""
        status, body = self.receive()
        try:
            answer = json.loads(body)
            contact, message = answer["contacts"][0], answer["messages"][0]
        except (ValueError, LookupError, TypeError):
            raise Void(f"HTTP {status} with {body[:200]!r}") from None
        is_onprem = "meta" in answer and "messaging_product" not in answer
        expected = (201, True) if self.peer.rewrites else (200, False)
        if (status, is_onprem) != expected:
            raise Void(f"HTTP {status} with {body[:200]!r}")
        if (contact["input"], contact["wa_id"]) != (self.to, self.to) or not message["id"].startswith("wamid."):
            raise Void(f"the answer to another message: {body[:200]!r}")

    def close(self):
        """Hangs up."""
        self.connection.close()


def guarded(what):
    """Network errors are void measurements too."""

    def inner(*arguments):
        try:
            return what(*arguments)
        except (OSError, http.client.HTTPException) as error:
            raise Void(f"{type(error).__name__}: {error}") from error

    return inner


@guarded
def in_flight(running, upstream, count):
    """KiB that each of so many messages takes while all wait for their answers."""
    before = running.process.resident_kib()
    clients = [Client(running, index) for index in range(count)]
    upstream.order("/hold")
    try:
        for client in clients:
            client.send()
        arrived = upstream.wait_until_in_flight(count)
        during = running.process.resident_kib()
    finally:
        upstream.order("/release")
    try:
        if arrived != count:
            raise Void(f"{arrived} of {count} messages reached the upstream")
        for client in clients:
            client.take()
    finally:
        for client in clients:
            client.close()
    return (during - before) / count


@guarded
def idle_connections(running, count):
    """Bytes that each of so many connections takes, after one message on each."""
    before = running.process.resident_kib()
    clients = [Client(running, index) for index in range(count)]
    try:
        for client in clients:
            client.send()
            client.take()
        after = running.process.resident_kib()
        readable = select.poll()
        for client in clients:
            if client.connection.sock is None:
                raise Void("a connection was closed with its answer")
            readable.register(client.connection.sock, select.POLLIN | select.POLLHUP)
        closed = len(readable.poll(0))
        if closed:
            raise Void(f"{closed} of {count} connections were closed meanwhile")
    finally:
        for client in clients:
            client.close()
    return 1024 * (after - before) / count


@guarded
def answers_as_it_should(running):
    """One right message, and one with a wrong token, which those that check it refuse themselves."""
    client = Client(running, 1)
    try:
        client.send()
        client.take()
        if running.peer.rewrites:
            client.send(token="wrong")
            status, body = client.receive()
            if status != 401:
                raise Void(f"a wrong token got HTTP {status} with {body[:200]!r}")
    finally:
        client.close()


def median(values):
    """The median; none of nothing."""
    return statistics.median(values) if values else None
