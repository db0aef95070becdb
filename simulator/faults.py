"""Faults to inject, and the seeded chaos that mixes them.

Draws are hashes of (seed, pin, branch, endpoint, how many such calls before): the order in
which other devices call, and the speed of the machine, change nothing.
"""

import hashlib
import itertools
import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

_NORMAL = NormalDist()
SHAPES = {"string_numbers", "spaced_keys", "wrong_content"}
OUTCOMES = {
    "refuse",
    "lost_before",
    "lost_after",
    "reset",
    "html",
    "unauthorized",
    "empty_body",
    "result_code",
    "refusal",
    "outage",
}
NAMES = OUTCOMES | SHAPES | {"latency"}
Key = tuple[str, str, str]  # pin, branch, endpoint


def draw(seed: Any, key: Key, number: int, purpose: str = "") -> float:
    """A number in [0, 1) that depends on its arguments alone."""
    text = f"{seed}|{'|'.join(key)}|{number}|{purpose}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:7], "big") / (1 << 56)


@dataclass(slots=True)
class Fault:
    id: str
    name: str
    parameters: Mapping[str, Any]
    pin: str | None = None
    branch: str | None = None
    endpoints: frozenset[str] | None = None  # None: all
    count: int | None = 1
    after: int = 0
    probability: float = 1.0
    seed: Any = 0
    hits: int = 0
    seen: Counter[Key] = field(default_factory=Counter)
    matched: int = 0
    until: float | None = None

    def covers(self, key: Key) -> bool:
        pin, branch, endpoint = key
        named = self.endpoints
        inside = endpoint in named if named is not None else endpoint != "token"
        return inside and self.pin in (None, pin) and self.branch in (None, branch)

    def is_over(self) -> bool:
        if self.until is not None:
            return time.monotonic() >= self.until
        return self.count is not None and self.hits >= self.count

    def fires(self, key: Key) -> bool:
        """Whether this matching call is hit; every question counts as one call."""
        self.matched += 1
        number = self.seen[key]
        self.seen[key] += 1
        if self.matched <= self.after or self.is_over():
            return False
        if self.probability < 1 and draw(self.seed, key, number, self.name) >= self.probability:
            return False
        self.hits += 1
        return True


@dataclass(slots=True)
class Plan:
    """What happens to one call."""

    outcome: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    shapes: tuple[str, ...] = ()
    delay: float = 0.0
    stored_first: bool = True

    @property
    def names(self) -> str:
        parts = [self.outcome] if self.outcome else []
        return ",".join([*parts, *self.shapes])


@dataclass(slots=True)
class Chaos:
    seed: Any
    probabilities: Mapping[str, Any]
    scope: Fault  # only its `covers` is used
    calls: Counter[Key] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)

    def pick(self, key: Key) -> tuple[str, Mapping[str, Any], float] | None:
        """The fault of this call, its parameters, and a second draw for them."""
        if not self.scope.covers(key):
            return None
        number = self.calls[key]
        self.calls[key] += 1
        left = draw(self.seed, key, number)
        for name in sorted(self.probabilities):
            given = self.probabilities[name]
            parameters = given if isinstance(given, Mapping) else {"p": given}
            left -= parameters["p"]
            if left < 0:
                self.hits[name] += 1
                return name, parameters, draw(self.seed, key, number, "parameters")
        return None


class Faults:
    def __init__(self, latency_ms: float = 0) -> None:
        self._first_latency = latency_ms
        self._ids = itertools.count(1)
        self.reset()

    def reset(self) -> None:
        self.latency_ms = self._first_latency
        self.down = False
        self.active: dict[str, Fault] = {}
        self.chaos: Chaos | None = None

    def add(self, **settings: Any) -> Fault:
        fault = Fault(id=str(next(self._ids)), **settings)
        if fault.name == "outage":
            fault.count = None
            fault.until = time.monotonic() + float(fault.parameters["seconds"])
        self.active[fault.id] = fault
        return fault

    def plan(self, key: Key) -> Plan:
        plan = Plan(delay=self.latency_ms / 1000)
        hit = False
        for fault in self.active.values():
            if not self._wanted(fault, plan) or not fault.covers(key) or not fault.fires(key):
                continue
            hit = True
            second = draw(fault.seed, key, fault.seen[key], "parameters")
            _apply(plan, fault.name, fault.parameters, second)
        if not hit and self.chaos is not None:
            picked = self.chaos.pick(key)
            if picked is not None:
                _apply(plan, *picked)
        return plan

    @staticmethod
    def _wanted(fault: Fault, plan: Plan) -> bool:
        """One outcome per call; the next one stays armed for the next call."""
        return not (fault.name in OUTCOMES and plan.outcome is not None)


def _apply(plan: Plan, name: str, parameters: Mapping[str, Any], second: float) -> None:
    if name == "latency":
        plan.delay = latency(parameters, second) / 1000
        plan.stored_first = bool(parameters.get("stored_first", True))
    elif name in SHAPES:
        plan.shapes += (name,)
    else:
        plan.outcome, plan.parameters = name, parameters


def latency(parameters: Mapping[str, Any], number: float) -> float:
    """Milliseconds: fixed, uniform between low and high, or lognormal around a median."""
    kind = parameters.get("distribution", "fixed")
    if kind == "uniform":
        low, high = float(parameters["low_ms"]), float(parameters["high_ms"])
        return low + (high - low) * number
    if kind == "lognormal":
        sigma = float(parameters.get("sigma", 0.5))
        spread = math.exp(sigma * _normal(number))
        return min(float(parameters["median_ms"]) * spread, float(parameters.get("max_ms", 60000)))
    return float(parameters["ms"])


def _normal(number: float) -> float:
    """The standard normal value at this quantile, kept off the two infinite ends."""
    return _NORMAL.inv_cdf(min(max(number, 1e-9), 1 - 1e-9))
