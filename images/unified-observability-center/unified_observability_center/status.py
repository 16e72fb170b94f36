"""What is known about each service, and what that comes to."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    at: float
    is_healthy: bool
    seconds: float
    detail: str = ""


@dataclass
class ServiceStatus:
    """The last answers of a service. It is down after `down_after` bad ones in a row, so that one lost packet wakes
    nobody, and up again with the first good one."""

    name: str
    url: str
    down_after: int = 3
    keep: int = 100
    answers: deque[Answer] = field(default_factory=deque)
    bad_in_a_row: int = 0

    def add(self, answer: Answer) -> bool:
        """True where the service went up or down by this answer."""
        was_down = self.state == "down"
        self.answers.append(answer)
        while len(self.answers) > self.keep:
            self.answers.popleft()
        self.bad_in_a_row = 0 if answer.is_healthy else self.bad_in_a_row + 1
        return was_down != (self.state == "down")

    @property
    def state(self) -> str:
        if not self.answers:
            return "unknown"
        if self.bad_in_a_row >= self.down_after:
            return "down"
        return "shaky" if self.bad_in_a_row else "up"

    @property
    def available_pct(self) -> float:
        if not self.answers:
            return 0.0
        return 100.0 * sum(answer.is_healthy for answer in self.answers) / len(self.answers)

    def latency_s(self, percentile: float) -> float:
        """Of the good answers, by the nearest rank; 0 where there is none."""
        times = sorted(answer.seconds for answer in self.answers if answer.is_healthy)
        if not times:
            return 0.0
        return times[min(len(times) - 1, int(len(times) * percentile / 100))]


def overall(states: list[str]) -> str:
    """The worst of all that is known."""
    for state in ("down", "shaky", "unknown", "up"):
        if state in states:
            return state
    return "unknown"
