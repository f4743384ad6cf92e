"""The goals that the comparison can tell about, each with what it must be and what it should be."""

import dataclasses
import math

from .load import Void, median
from .measures import DIRECT

NGINX = "nginx"
LUA = "nginx-lua"


@dataclasses.dataclass
class Goal:
    """A figure beside what was wanted of it."""

    name: str
    what: str
    value: float | None
    must: float
    goal: float
    unit: str
    is_least: bool = False

    def verdict(self):
        """In words."""
        if self.value is None:
            return "not measured"
        reaches = (lambda bar: self.value >= bar) if self.is_least else (lambda bar: self.value <= bar)
        if reaches(self.goal):
            return "goal met"
        return "must met, goal missed" if reaches(self.must) else "MISSED"


class Figures:
    """Medians over rounds, and those of what two cells of a round make together."""

    def __init__(self, measures):
        self.measures = measures

    def values(self, name, figure):
        """The rounds of a cell; none if it is void or was not measured."""
        values = self.measures.cells.get(name, {}).get(figure, [])
        return [] if any(isinstance(value, Void) for value in values) else values

    def is_void(self, name, figure):
        """Whether an answer was wrong."""
        return any(isinstance(value, Void) for value in self.measures.cells.get(name, {}).get(figure, []))

    def median(self, name, figure):
        """Over all rounds."""
        return median(self.values(name, figure))

    def ratio(self, name, figure, other=NGINX):
        """Against another peer of the same round."""
        return median([one / another for one, another in self._rounds(name, figure, other) if another > 0])

    def added(self, name, figure):
        """Beyond the direct call of the same round."""
        return median(self._added(name, figure))

    def added_ratio(self, name, figure):
        """What is added, against what nginx adds in the same round."""
        direct = self.values(DIRECT, figure)
        rounds = zip(self.values(name, figure), self.values(NGINX, figure), direct)
        whole = [each for each in rounds if not any(map(math.isinf, each[1:]))]
        return median([(one - least) / (another - least) for one, another, least in whole if another > least])

    def _added(self, name, figure):
        return [one - direct for one, direct in self._rounds(name, figure, DIRECT)]

    def _rounds(self, name, figure, other):
        """Rounds in which the other one has something to compare with."""
        pairs = zip(self.values(name, figure), self.values(other, figure))
        return [(one, another) for one, another in pairs if not math.isinf(another)]


def largest(values):
    """Of those that are there, if all are."""
    return None if None in values else max(values)


def goals(measures, name):
    """What a build of ours reaches with this kind of upstream."""
    figures = Figures(measures)
    kind = "TLS" if measures.is_tls else "plain"
    full = figures.ratio(name, "cpu_us_max")
    first = (
        Goal("G2", f"CPU per message at full load, {kind} upstream, of nginx's", full, 1.15, 0.85, "x")
        if measures.is_tls
        else Goal("G1", f"CPU per message at full load, {kind} upstream, of nginx's", full, 1.4, 1.0, "x")
    )
    against_lua = figures.ratio(LUA, "cpu_us_max", name)
    calm = largest([figures.ratio(name, f"cpu_us_{rate}") for rate in (250, 1000)])
    in_flight = figures.median(name, "in_flight_kib")
    return [
        first,
        Goal("G3", f"messages/s per core, {kind}, of nginx with Lua's", against_lua, 1.5, 1.9, "x", True),
        Goal("G4", f"p50 added at 1,000/s, {kind}, of what nginx adds", figures.added_ratio(name, "p50_ms_1000"), 1.2, 1.0, "x"),
        Goal("G5", f"p99 added at 1,000/s, {kind}", figures.added(name, "p99_ms_1000"), 1.0, 0.3, "ms"),
        Goal("G5", f"p99 added at 10,000/s, {kind}", figures.added(name, "p99_ms_10000"), 1.0, 1.0, "ms"),
        Goal("G6", f"memory per message in flight, {kind}", in_flight, 40, 20 if measures.is_tls else 10, "KiB"),
        Goal("G7", f"resident memory before any load, {kind}", figures.median(name, "idle_mib"), 16, 8, "MiB"),
        Goal("G12", f"CPU at 250/s and 1,000/s, {kind}, the larger, of nginx's", calm, 1.25, 1.1, "x"),
    ]
