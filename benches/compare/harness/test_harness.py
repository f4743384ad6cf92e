"""What the figures are made of: `python3 -B -m unittest discover -s benches/compare -t benches/compare`."""

import json
import math
import types
import unittest

from . import load, report
from .goals import Figures, Goal
from .load import Void
from .measures import DIRECT, Measures, attempt, memory_counts


def told(windows, **changes):
    """A report of the load generator at 1,000/s."""
    count = sum(window[1] for window in windows)
    report = {
        "rate": 1000,
        "duration_seconds": 2,
        "sent": count,
        "answered": count,
        "failed": 0,
        "failures": {},
        "messages_per_second": count / 2,
        "windows": [
            {"second": second, "answered": answered, "p50_ms": p50, "p99_ms": p99}
            for second, answered, p50, p99 in windows
        ],
        "pacer_late_ms": {"p50": 0.1, "p99": 0.2, "max": 0.3},
        "processes": [
            {"pid": 7, "cpu_us_per_message": 10.0},
            {"pid": 8, "cpu_us_per_message": 2.5},
            {"pid": 9, "cpu_us_per_message": 100.0},
        ],
    }
    return {**report, **changes}


class Reading(unittest.TestCase):
    """Reports of the load generator."""

    def test_the_best_whole_second_counts(self):
        result = load.read(told([(0, 1000, 0.5, 3.0), (1, 999, 0.4, 4.0)]), [7, 8])
        self.assertEqual((result.p50_ms, result.p99_ms, result.late_ms), (0.4, 3.0, 0.2))

    def test_only_the_peer_s_own_processes_count(self):
        self.assertEqual(load.read(told([(0, 1000, 0.5, 3.0)]), [7, 8]).cpu_us, 12.5)

    def test_what_comes_after_the_end_is_no_second(self):
        result = load.read(told([(0, 999, 0.5, 3.0), (1, 1000, 0.6, 4.0), (2, 1, 0.1, 0.1)]), [])
        self.assertEqual((result.p50_ms, result.p99_ms), (0.5, 3.0))

    def test_a_second_that_stood_still_is_no_best_second(self):
        result = load.read(told([(0, 200, 0.1, 0.1), (1, 1800, 0.6, 800.0)]), [])
        self.assertEqual((result.p50_ms, result.p99_ms), (0.6, 800.0))

    def test_a_rate_that_is_never_carried_has_no_latency(self):
        self.assertEqual(load.read(told([(0, 900, 0.1, 0.1), (1, 950, 0.1, 0.1)]), []).p99_ms, math.inf)

    def test_a_closed_loop_has_none_either(self):
        report = told([(0, 1000, 0.5, 3.0)], rate=None, pacer_late_ms=None)
        self.assertEqual(load.read(report, [7]).p50_ms, math.inf)

    def test_one_failure_voids_everything(self):
        for changes in [{"failed": 1, "failures": {"wrong recipient": 1}}, {"answered": 999}, {"sent": 0}]:
            with self.assertRaises(Void):
                load.read(told([(0, 1000, 0.5, 3.0)], **changes), [])


class Trying(unittest.TestCase):
    """Measurements beside what the upstream has counted meanwhile."""

    def attempt(self, rewrites, measurement=lambda: 1.0, **counted):
        """What becomes of one during which so much was counted."""
        before = {"wrong": 3, "first_wrong": "the wrong token", "requests": 50, "rewritten": 20}
        after = {key: value + counted.get(key, 0) if key != "first_wrong" else value for key, value in before.items()}
        upstream = types.SimpleNamespace(stats=iter([before, after]).__next__)
        peer = types.SimpleNamespace(rewrites=rewrites)
        running = types.SimpleNamespace(peer=peer, process=types.SimpleNamespace(check=lambda: None))
        return attempt(upstream, None if rewrites is None else running, measurement)

    def test_what_rewrites_has_to_rewrite_everything(self):
        self.assertEqual(self.attempt(True, requests=10, rewritten=10), 1.0)
        void = self.attempt(True, requests=10, rewritten=7)
        self.assertEqual(str(void), "3 of 10 messages were passed on as they came")
        for rewrites in (False, None):
            self.assertEqual(self.attempt(rewrites, requests=10), 1.0)

    def test_wrong_messages_void_everything(self):
        for rewrites in (True, False, None):
            void = self.attempt(rewrites, wrong=2, requests=10)
            self.assertEqual(str(void), "the upstream got 2 wrong messages, at first the wrong token")

    def test_the_first_reason_is_kept(self):
        def failing():
            raise Void("closed")

        self.assertEqual(str(self.attempt(True, failing, requests=10, rewritten=7)), "closed")


class Making(unittest.TestCase):
    """Medians, ratios and verdicts."""

    def setUp(self):
        measures = Measures([], False)
        measures.cells = {
            "nginx": {"cpu": [10.0, 20.0, 10.0], "p50": [0.3, 0.4, 0.3]},
            "ours": {"cpu": [5.0, 40.0, 8.0], "p50": [0.2, 0.3, 0.4], "void": [1.0, Void("wrong"), 1.0]},
            DIRECT: {"p50": [0.1, 0.2, 0.1]},
        }
        self.figures = Figures(measures)

    def test_ratios_are_those_of_a_round(self):
        self.assertEqual(self.figures.ratio("ours", "cpu"), 0.8)
        self.assertAlmostEqual(self.figures.added("ours", "p50"), 0.1)
        self.assertAlmostEqual(self.figures.added_ratio("ours", "p50"), 0.5)

    def test_one_void_round_voids_the_cell(self):
        self.assertTrue(self.figures.is_void("ours", "void"))
        self.assertIsNone(self.figures.median("ours", "void"))
        self.assertIsNone(self.figures.ratio("ours", "void"))

    def test_a_rate_that_is_not_carried_misses_its_goal(self):
        cells = self.figures.measures.cells
        cells["ours"]["p50"] = [math.inf, math.inf, 0.4]
        self.assertEqual(self.figures.added("ours", "p50"), math.inf)
        self.assertEqual(self.figures.added_ratio("ours", "p50"), math.inf)
        self.assertEqual(Goal("G5", "", math.inf, 1.0, 0.3, "ms").verdict(), "MISSED")
        self.assertEqual(report.number(math.inf, 1), "not carried")
        self.assertEqual(json.dumps(report.finite({"p50": [math.inf, 1.0]}), allow_nan=False), '{"p50": [null, 1.0]}')

    def test_nothing_is_compared_with_what_was_not_carried(self):
        cells = self.figures.measures.cells
        cells["nginx"]["p50"] = [math.inf, 0.4, 0.3]
        cells[DIRECT]["p50"] = [0.1, 0.2, math.inf]
        self.assertAlmostEqual(self.figures.added_ratio("ours", "p50"), 0.5)
        self.assertAlmostEqual(self.figures.added("ours", "p50"), 0.1)
        cells[DIRECT]["p50"] = [math.inf] * 3
        self.assertIsNone(self.figures.added("ours", "p50"))

    def test_verdicts(self):
        most = [(None, "not measured"), (1.0, "goal met"), (1.2, "must met, goal missed"), (1.5, "MISSED")]
        for value, verdict in most:
            self.assertEqual(Goal("G1", "", value, 1.4, 1.0, "x").verdict(), verdict)
        for value, verdict in [(2.0, "goal met"), (1.6, "must met, goal missed"), (1.4, "MISSED")]:
            self.assertEqual(Goal("G3", "", value, 1.5, 1.9, "x", True).verdict(), verdict)

    def test_files_limit_connections(self):
        self.assertEqual(memory_counts(32768), (2000, 10000))
        self.assertEqual(memory_counts(1024), (362, 362))


if __name__ == "__main__":
    unittest.main()
