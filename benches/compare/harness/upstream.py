"""The upstream, which is a process of benches/compare/main.rs, and orders to it."""

import http.client
import json
import subprocess
import time

from .machine import LOAD_CORE
from .processes import PATIENCE, Failure, Process

# The same constants as in benches/compare/judge.rs.
CLIENT_TOKEN = "compare-client-key-0123456789"
GRAPH_TOKEN = "EAABcompareGraphToken0123456789"
PHONE_NUMBER_ID = "106540352242922"
CLOUD_PATH = f"/v26.0/{PHONE_NUMBER_ID}/messages"


def write_certificates(binary, folder):
    """An authority and a certificate for the upstream."""
    subprocess.run([binary, "certificates", folder], check=True)


class Upstream:
    """Plain, or with TLS."""

    def __init__(self, binary, folder, is_tls):
        self.is_tls = is_tls
        self.ca = f"{folder}/ca.pem"
        command = [binary, "upstream", *([folder] if is_tls else [])]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = Process("the upstream", command, LOAD_CORE, f"{folder}/upstream.log", text=True, **pipes)
        words = self.process.process.stdout.readline().split()
        if len(words) != 4:
            self.process.stop()
            raise Failure(f"the upstream does not start\n{self.process.last_lines()}")
        self.port = int(words[1].rsplit(":", 1)[1])
        self._control = int(words[3].rsplit(":", 1)[1])

    @property
    def scheme(self):
        """http or https."""
        return "https" if self.is_tls else "http"

    @property
    def url(self):
        """Where the direct call goes."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def order(self, path):
        """Gives what it has counted."""
        connection = http.client.HTTPConnection("127.0.0.1", self._control, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return json.load(connection.getresponse())
        finally:
            connection.close()

    def stats(self):
        """What it has counted."""
        return self.order("/stats")

    def wait_until_in_flight(self, count):
        """Until so many messages wait for their answers; says how many do."""
        deadline = time.monotonic() + PATIENCE
        while True:
            in_flight = self.stats()["in_flight"]
            if in_flight >= count or time.monotonic() > deadline:
                return in_flight
            time.sleep(0.05)

    def stop(self):
        """Ends it."""
        self.process.stop()
