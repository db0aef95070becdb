"""What the validator says of a body, in words that help: which field, why, and what to do."""

import difflib
import functools
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from msgspec import inspect

from .errors import Invalid, Problem

PATH = re.compile(r"^(?P<reason>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)
MISSING = re.compile(r"Object missing required field `(.+)`")
UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
LENGTH = re.compile(r"Expected `(?P<type>\w+)` of length (?P<sign><=|>=) (?P<count>\d+)")
LIKE = 0.7
FORM = "Expected `str` matching regex"
TIMES = {
    "Invalid RFC3339 encoded datetime": ("It is not a time.", "2026-01-31T14:30:00+03:00"),
    "Invalid RFC3339 encoded date": ("It is not a day.", "2026-01-31"),
}


def fault_of(message: str, type_: Any) -> Problem:
    """A message of msgspec about a body that should have been a `type_`."""
    found = PATH.match(message)
    reason, path = (found["reason"], found["path"] or "") if found else (message, "")
    if missing := MISSING.match(reason):
        return Problem(_inside(path, missing[1]), "This field is required.", f"Add {missing[1]!r}.")
    if unknown := UNKNOWN.match(reason):
        return unknown_field(_inside(path, unknown[1]), _fields(type_))
    return Problem(path, *words(reason, _fields(type_).get(_plain(path), "")))


def unknown_field(path: str, known: Collection[str], kind: str = "field") -> Problem:
    """`known` are the names there are, with dots where one is inside another."""
    near = _nearest(_plain(path)[:60], known)
    step = "Check its name, or leave it out; /api/docs/ lists all."
    if near:
        step = f"Did you mean {' or '.join(near)}? /api/docs/ lists all."
    return Problem(path[:60], f"This {kind} is unknown.", step)


def _nearest(path: str, known: Collection[str]) -> list[str]:
    """The likest name, or two when they are about as like."""
    matcher = difflib.SequenceMatcher(b=path.replace(".", "_"))
    found = []
    for name in known:
        matcher.set_seq1(name.replace(".", "_"))
        found.append((matcher.ratio(), name))
    best = max(found, default=(0.0, ""))[0]
    near = [name for ratio, name in sorted(found, reverse=True) if ratio >= best - 0.05]
    return near[:2] if best >= LIKE else []


def check_parameters(given: Iterable[str], known: Collection[str]) -> None:
    """Raises Invalid for names in an address that are not known there."""
    problems = [unknown_field(name, known, "parameter") for name in given if name not in known]
    if problems:
        raise Invalid("The request is not valid.", problems=problems)


def words(reason: str, description: str = "") -> tuple[str, str]:
    """Why, and the next step."""
    if reason in TIMES:
        why, example = TIMES[reason]
        return why, f"Write it as {example}."
    if length := LENGTH.match(reason):
        things = "entries" if length["type"] == "array" else "characters"
        bound = "at most" if length["sign"] == "<=" else "at least"
        step = "Shorten it." if bound == "at most" else "Send more."
        return f"It must have {bound} {length['count']} {things}.", step
    if reason.startswith(FORM):
        return "It does not have the form of this field.", (
            f"{description} /api/docs/ shows its form.".strip()
        )
    return reason, "Correct this field; /api/docs/ shows its type."


def _inside(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _plain(path: str) -> str:
    return re.sub(r"\[[^]]*\]", "", path).lstrip(".")


@functools.cache
def _fields(type_: Any) -> dict[str, str]:
    """Every field of a body by its path, without the places in lists, and what it is."""
    return dict(_walk(inspect.type_info(type_), ""))


def _walk(info: inspect.Type, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(info, inspect.Metadata):
        schema = info.extra_json_schema or {}
        examples = [f"For example {each}." for each in schema.get("examples", ())]
        yield path, " ".join([schema.get("description", ""), *examples[:1]]).strip()
        info = info.type
    if isinstance(info, inspect.StructType):
        for field in info.fields:
            inner = _inside(path, field.encode_name)
            yield inner, ""
            yield from _walk(field.type, inner)
    elif isinstance(info, inspect.ListType):
        yield from _walk(info.item_type, path)
    elif isinstance(info, inspect.UnionType):
        for each in info.types:
            yield from _walk(each, path)
