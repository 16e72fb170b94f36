"""Run in this folder's parent: python -m unittest discover -s tests -t ."""

import unittest

from unified_observability_center.settings import Settings, parse_services
from unified_observability_center.status import Answer, ServiceStatus, overall


class StatusTest(unittest.TestCase):
    def setUp(self):
        self.service = ServiceStatus("hub", "http://hub/health", down_after=3, keep=10)

    def add(self, marks):
        return [self.service.add(Answer(i, mark == "+", 0.1)) for i, mark in enumerate(marks)]

    def test_nothing_is_known_before_the_first_answer(self):
        self.assertEqual((self.service.state, self.service.available_pct, self.service.latency_s(95)), ("unknown", 0.0, 0.0))

    def test_one_bad_answer_is_no_alarm(self):
        self.assertEqual(self.add("+-+"), [False, False, False])
        self.assertEqual(self.service.state, "up")

    def test_three_bad_answers_are_one_alarm(self):
        self.assertEqual(self.add("+----"), [False, False, False, True, False])
        self.assertEqual(self.service.state, "down")

    def test_the_first_good_answer_ends_it(self):
        self.assertEqual(self.add("---+"), [False, False, True, True])
        self.assertEqual(self.service.state, "up")

    def test_availability_counts_what_is_kept(self):
        self.add("-" * 5 + "+" * 10)
        self.assertEqual(self.service.available_pct, 100.0)

    def test_latency_is_that_of_good_answers(self):
        for seconds in (0.1, 0.2, 0.3, 0.4):
            self.service.add(Answer(0, True, seconds))
        self.service.add(Answer(0, False, 9.0))
        self.assertEqual((self.service.latency_s(50), self.service.latency_s(95)), (0.3, 0.4))

    def test_the_worst_state_is_everybodys(self):
        self.assertEqual(overall(["up", "down", "shaky"]), "down")
        self.assertEqual(overall(["up", "unknown"]), "unknown")
        self.assertEqual(overall([]), "unknown")


class SettingsTest(unittest.TestCase):
    def test_services_are_names_and_addresses(self):
        self.assertEqual(parse_services("a=http://a:1/health  b=https://b/h"), {"a": "http://a:1/health", "b": "https://b/h"})
        self.assertEqual(Settings.from_environment({}).services, {})

    def test_what_is_no_service_is_refused(self):
        for text in ("a", "=http://a", "a=ftp://a", "a=http://a a=http://b"):
            with self.assertRaises(ValueError):
                parse_services(text)


if __name__ == "__main__":
    unittest.main()
