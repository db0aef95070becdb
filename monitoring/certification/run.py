"""Go through the cases: claim in the state file, do, read KRA's answers, record; line by line."""

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from core.errors import DomainError
from devices.models import Call
from kra.codes import explain
from kra.errors import KRAError
from monitoring.console import NEXT_STEPS
from outbox import doorbell

from . import artefacts, evidence, verdict
from .cases import ALL, CASES, Case, place_of
from .context import Context
from .state import Result, RunState, SessionOver, save

log = logging.getLogger(__name__)

Say = Callable[[str], None]
ACCEPTED = Call.Outcome.ACCEPTED


def run(ctx: Context, folder: Path, say: Say) -> bool:
    """Do every case that has not passed, in KRA's order. True when all 23 have.

    A failed case stops only those that need its work. Raises SessionOver at the start; when the
    hour ends on the way, the rest is left undone.
    """
    state = ctx.state
    if not state.remaining and not is_complete(state):
        raise SessionOver(f"KRA's hour is over: the run began {clock(state.elapsed)} ago.")
    # This process delivers by itself; a worker that was woken for it would only be in the way.
    with doorbell.held():
        for case in ALL:
            _take(ctx, case, folder, say)
            for late in _waiting_for(case, state):
                _take(ctx, late, folder, say)
    artefacts.lay_out(ctx, folder)
    verdict.lay_out(ctx, folder)
    return is_complete(state)


def is_complete(state: RunState) -> bool:
    return all(state.has_passed(case.id) for case in CASES)


def _waiting_for(case: Case, state: RunState) -> list[Case]:
    """Cases that had nothing to show before this one."""
    if not state.has_passed(case.id):
        return []
    late = [one for one in ALL if one.needs_later == case.id and one.id in state.results]
    return [one for one in late if state.results[one.id].verdict == "again"]


def _take(ctx: Context, case: Case, folder: Path, say: Say) -> None:
    state = ctx.state
    if state.has_passed(case.id):
        say(_line(case, state, "passed before"))
        return
    missing = [need for need in case.needs if not state.has_passed(need)]
    if missing or not state.remaining:
        why = f"it needs {', '.join(missing)}" if missing else "KRA's hour is over"
        step = "Mend that case first." if missing else SessionOver.help
        result = Result("skipped", 0, timezone.now(), message=why, next_step=step)
    else:
        result = attempt(ctx, case, folder)
    state.results[case.id] = result
    save(folder, state)
    evidence.lay_out(ctx, case, result, folder)
    words = " ".join(word for word in (result.words, result.code, result.message) if word)
    say(_line(case, state, words, result))
    if result.verdict == "failed":
        say(f"      next: {result.next_step}")


def attempt(ctx: Context, case: Case, folder: Path) -> Result:
    """Do the case, or finish what an interrupted start of it began."""
    ctx.after_call = _watermark(ctx, case)
    result = Result("started", ctx.after_call, timezone.now())
    ctx.state.results[case.id] = result
    save(folder, ctx.state)
    try:
        done = case.run(ctx)
    except KRAError as error:
        meaning = explain(error.code, error.message)
        _fail(result, error.code, error.message or meaning.cause, meaning.next_step)
    except DomainError as error:
        problems = "; ".join(f"{one.field}: {one.reason}" for one in error.problems)
        text = f"{error.message} {problems}".strip()
        _fail(result, error.code, text, NEXT_STEPS.get(error.code, error.help))
    else:
        _judge(ctx, case, result, done)
    _quote_kra(ctx, case, result)
    result.finished_at = timezone.now()
    result.calls = [call.pk for call in _calls(ctx, case)]
    return result


def _watermark(ctx: Context, case: Case) -> int:
    earlier = ctx.state.results.get(case.id)
    if earlier is not None and earlier.verdict != "skipped":
        return earlier.after_call
    last = Call.objects.filter(company=ctx.company).order_by("-pk").first()
    return last.pk if last else 0


def _judge(ctx: Context, case: Case, result: Result, done: str | None) -> None:
    """The service's word, or KRA's last answer on the endpoint."""
    last = next(reversed(_calls(ctx, case, case.asks)), None)
    result.code = last.code if last else ""
    result.message = done or ""
    if last is not None and last.outcome == Call.Outcome.EMPTY:
        result.message = "nothing to list"
        result.verdict, result.is_empty = case.empty, case.empty == "passed"
        result.next_step = "" if result.is_empty else explain(last.code).next_step
    elif done is not None or (last is not None and last.outcome == ACCEPTED):
        result.verdict = "passed"
    else:
        _fail(result, result.code or "no_call", "KRA was not asked.", "Start again.")


def _fail(result: Result, code: str, message: str, next_step: str) -> None:
    result.verdict, result.code = "failed", code
    result.message, result.next_step = message, next_step


def _quote_kra(ctx: Context, case: Case, result: Result) -> None:
    """A failure is reported under KRA's own code where KRA has given one."""
    last = next(reversed(_calls(ctx, case, case.asks)), None)
    if result.verdict == "failed" and last is not None and last.outcome != ACCEPTED:
        result.code = last.code or result.code


def _calls(ctx: Context, case: Case, endpoint: str = "") -> list[Call]:
    """What was said to KRA for this case. The initialisation's may be older than the run."""
    calls = ctx.calls(endpoint)
    if case.id == "init":
        calls = Call.objects.filter(device__serial=ctx.state.serial, endpoint="init")
        calls = calls.filter(company=ctx.company).order_by("pk")
    return list(calls)


def _line(case: Case, state: RunState, words: str, result: Result | None = None) -> str:
    took = f"{result.seconds:6.1f} s" if result else " " * 8
    times = f"{clock(state.elapsed)} gone, {clock(state.remaining)} left"
    place = f"{place_of(case)}/{len(CASES)}" if case in CASES else "     "
    return f"{place} {case.title:<24} {took}  [{times}]  {words}"


def clock(duration: timedelta) -> str:
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    return f"{minutes:02}:{seconds:02}"
