"""Figures of several rounds, as a table that a person can judge."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HEAD = ("measure", "median", "min – max", "goal", "must", "verdict")


@dataclass(frozen=True)
class Bound:
    """A goal, and what it must be at least (or, for `at_most`, at the most)."""

    goal: float
    must: float | None = None
    at_most: bool = False

    def verdict(self, value: float) -> str:
        if self._holds(value, self.goal):
            return "met"
        if self.must is None:
            return "missed"
        return "goal missed, must met" if self._holds(value, self.must) else "MUST MISSED"

    def _holds(self, value: float, wanted: float) -> bool:
        return value <= wanted if self.at_most else value >= wanted

    def text(self, value: float | None) -> str:
        if value is None:
            return ""
        return f"{'≤' if self.at_most else '≥'} {number(value)}"


@dataclass(frozen=True)
class Row:
    """One measure: a value per round, in the unit that its name tells."""

    name: str
    values: Sequence[float]
    bound: Bound | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def cells(self) -> tuple[str, ...]:
        if not self.values:
            return (self.name, "not measured", "", "", "", "")
        bound = self.bound
        limits = (bound.text(bound.goal), bound.text(bound.must)) if bound else ("", "")
        verdict = bound.verdict(self.median) if bound else ""
        span = f"{number(min(self.values))} – {number(max(self.values))}"
        return (self.name, number(self.median), span, *limits, verdict)


@dataclass(frozen=True)
class Part:
    """The measures of one benchmark, and how they were taken."""

    title: str
    notes: Sequence[str]
    rows: Sequence[Row]


def number(value: float) -> str:
    """Three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.4f}"


def percentile(values: Sequence[float], percent: float) -> float:
    ordered = sorted(values)
    place = min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))
    return ordered[place]


def table(rows: Sequence[Row]) -> str:
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(HEAD))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def text_of(part: Part) -> str:
    notes = "\n".join(f"- {note}" for note in part.notes)
    return f"## {part.title}\n\n{notes}\n\n{table(part.rows)}\n"


def machine(versions: Sequence[str]) -> str:
    cores, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    facts = [f"{cores} cores", f"{memory / 2**30:.0f} GiB", f"Python {platform.python_version()}"]
    return ", ".join([*facts, *versions])


def write(file: Path, parts: Sequence[Part], about: Sequence[str]) -> None:
    """RESULTS.md: only ever written by a run, which replaces the parts that it measured."""
    sections = _sections(file.read_text()) if file.exists() else {}
    for part in parts:
        if part.rows:
            whole = Part(part.title, [*about, *part.notes], part.rows)
            sections[part.title] = text_of(whole)
    ordered = [sections[title] for title in sorted(sections)]
    file.write_text("\n".join(["# Results\n", *ordered]))


def _sections(text: str) -> dict[str, str]:
    """By title, each from its heading on."""
    found = [piece for piece in text.split("\n## ")[1:] if piece.strip()]
    return {piece.partition("\n")[0]: f"## {piece.rstrip()}\n" for piece in found}


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def load_average() -> tuple[float, str]:
    """Of the last minute, and the whole line."""
    line = Path("/proc/loadavg").read_text().split()
    return float(line[0]), " ".join(line[:3])
