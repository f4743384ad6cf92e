"""The tables, as benches/README.md takes them, and the same as JSON."""

import math

from . import measures as m
from .goals import Figures, goals
from .load import Void

NO_FIGURE = "–"
NOT_CARRIED = "not carried"
VOID = "void"
# Below this a proxy had time to wait for its load.
BUSY_PERCENT = 90


def markdown(about, tables, peers):
    """Everything for the reader."""
    lines = [headline(about), ""]
    for measures in tables:
        figures = Figures(measures)
        kind = "TLS" if measures.is_tls else "plain"
        lines += cost(figures, kind, peers) + latency(figures, kind, peers) + memory(figures, kind, peers)
        lines += bottlenecks(figures, peers)
        lines += sessions(measures)
        lines += voids(measures)
    for peer in peers:
        if peer.is_ours:
            lines += met(tables, peer.name)
    return "\n".join(lines)


def headline(about):
    """What was measured on, when and how."""
    machine = about["machine"]
    return (
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['kernel']}, "
        f"load average {machine['load_average']} before; {', '.join(about['versions'])}; "
        f"`{about['command']}`; medians of {about['rounds']} rounds; {about['in_flight']:,} messages in flight, "
        f"{about['idle_connections']:,} idle connections."
        + "".join(f" {name} was left out: {reason}." for name, reason in about["left_out"].items())
    )


def row(cells):
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def table(title, columns, rows):
    """A table under a heading."""
    return [f"### {title}", "", row(columns), row(["---"] * len(columns)), *map(row, rows), ""]


class Cells:
    """How the figures of one peer are written."""

    def __init__(self, figures, name):
        self.figures = figures
        self.name = name

    def plain(self, figure, digits):
        """The median."""
        if self.figures.is_void(self.name, figure):
            return VOID
        return number(self.figures.median(self.name, figure), digits)

    def ratio(self, figure):
        """Against nginx."""
        return number(self.figures.ratio(self.name, figure), 2)

    def added(self, figure):
        """Beyond the direct call."""
        return number(self.figures.added(self.name, figure), 3)


def number(value, digits):
    """With thousands marked."""
    if value is None:
        return NO_FIGURE
    return NOT_CARRIED if math.isinf(value) else f"{value:,.{digits}f}"


def cost(figures, kind, peers):
    """Processor time."""
    columns = ["proxy", "rewrites", "CPU per message, 64 at once", "of nginx", "messages/s", "its core busy"]
    columns += ["messages/s per core"]
    for rate in ("4,000/s", "1,000/s", "250/s"):
        columns += [f"CPU at {rate}", "of nginx"]
    rows = []
    for peer in peers:
        cells = Cells(figures, peer.name)
        per_message = figures.median(peer.name, "cpu_us_max")
        line = [peer.name, "yes" if peer.rewrites else "no", with_unit(cells.plain("cpu_us_max", 1), "µs")]
        line += [cells.ratio("cpu_us_max"), cells.plain("rate_max", 0), with_unit(cells.plain("busy_percent", 0), "%")]
        line += [number(1e6 / per_message if per_message else None, 0)]
        for rate in (4000, 1000, 250):
            line += [with_unit(cells.plain(f"cpu_us_{rate}", 1), "µs"), cells.ratio(f"cpu_us_{rate}")]
        rows.append(line)
    return table(f"Processor time, {kind} upstream", columns, rows)


def latency(figures, kind, peers):
    """From when each message was due."""
    columns = ["proxy"]
    for rate in ("1,000/s", "10,000/s"):
        columns += [f"p50 at {rate}", "added", f"p99 at {rate}", "added", "load late, p99"]
    rows = []
    for name in [m.DIRECT, *(peer.name for peer in peers)]:
        cells = Cells(figures, name)
        line = [name]
        for rate in (1000, 10000):
            for figure in (f"p50_ms_{rate}", f"p99_ms_{rate}"):
                added = NO_FIGURE if name == m.DIRECT else with_unit(cells.added(figure), "ms")
                line += [with_unit(cells.plain(figure, 3), "ms"), added]
            line += [with_unit(cells.plain(f"late_ms_{rate}", 3), "ms")]
        rows.append(line)
    title = f"Latency from when a message was due, {kind} upstream, best of five windows of a second"
    return table(title, columns, rows)


def memory(figures, kind, peers):
    """Resident memory."""
    columns = ["proxy", "before any load", "after", "per message in flight", "per idle connection"]
    rows = []
    for peer in peers:
        cells = Cells(figures, peer.name)
        line = [peer.name, with_unit(cells.plain("idle_mib", 1), "MiB"), with_unit(cells.plain("after_mib", 1), "MiB")]
        line += [with_unit(cells.plain("in_flight_kib", 1), "KiB")]
        line += [with_unit(cells.plain("idle_connection_bytes", 0), "B")]
        rows.append(line)
    return table(f"Resident memory, {kind} upstream", columns, rows)


def with_unit(text, unit):
    """A figure and its unit; what is no figure has none."""
    return text if text in (NO_FIGURE, NOT_CARRIED, VOID) else f"{text} {unit}"


def bottlenecks(figures, peers):
    """Says when full load was not the proxy's: time per message is higher where a proxy waits."""
    busy = {peer.name: figures.median(peer.name, "busy_percent") for peer in peers}
    waited = [f"{name} {value:.0f} %" for name, value in busy.items() if value is not None and value < BUSY_PERCENT]
    if not waited:
        return []
    return [f"NOT AT FULL LOAD, since the load, the upstream or others on the machine held it up: {', '.join(waited)}.", ""]


def sessions(measures):
    """Whether TLS sessions were used again where there were new connections."""
    if not measures.is_tls or not measures.sessions:
        return []
    told = []
    for name, rounds in measures.sessions.items():
        handshakes, resumed = (sum(each[key] for each in rounds) for key in ("handshakes", "resumed"))
        told.append(f"{name} {resumed} of {handshakes}")
    return [f"TLS handshakes that went on with an earlier session, as messages in flight grew: {', '.join(told)}.", ""]


def voids(measures):
    """What was wrong."""
    lines = [f"VOID: {name}, {', '.join(sorted(set(figures)))}: {why}" for name, figures, why in measures.voids()]
    return [*lines, ""] if lines else []


def met(tables, name):
    """The goals that these tables can tell about."""
    rows = []
    for goal in sorted(all_goals(tables, name), key=lambda goal: int(goal.name[1:])):
        sign = ">=" if goal.is_least else "<="
        rows.append([
            goal.name,
            goal.what,
            with_unit(number(goal.value, 2), goal.unit),
            f"{sign} {goal.must:g} {goal.unit}",
            f"{sign} {goal.goal:g} {goal.unit}",
            goal.verdict(),
        ])
    return table(f"Goals: {name}", ["goal", "figure", "measured", "must", "goal", "verdict"], rows)


def all_goals(tables, name):
    """Of every kind of upstream that was measured."""
    return [goal for measures in tables for goal in goals(measures, name)]


def as_json(about, tables, peers):
    """The same for programs: every round, and the medians."""
    upstreams = {}
    for measures in tables:
        figures = Figures(measures)
        cells = {}
        for name, row_cells in measures.cells.items():
            cells[name] = {
                figure: {
                    "median": figures.median(name, figure),
                    "of_nginx": figures.ratio(name, figure),
                    "rounds": [None if isinstance(value, Void) else value for value in values],
                }
                for figure, values in row_cells.items()
            }
        void = [{"peer": name, "figures": which, "why": why} for name, which, why in measures.voids()]
        kind = "tls" if measures.is_tls else "plain"
        upstreams[kind] = {"peers": cells, "void": void, "tls_sessions": measures.sessions}
    verdicts = {
        peer.name: [{**vars(goal), "verdict": goal.verdict()} for goal in all_goals(tables, peer.name)]
        for peer in peers
        if peer.is_ours
    }
    return finite({**about, "upstreams": upstreams, "goals": verdicts})


def finite(value):
    """JSON has no infinity: a rate that was not carried is null, as is a void round."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and math.isinf(value) else value
