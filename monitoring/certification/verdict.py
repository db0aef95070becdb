"""One page: which case passed, with KRA's code and time, and what is to be done. Also as JSON."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from devices.models import Call
from kra.profiles import ENDPOINTS
from kra.times import NAIROBI

from . import artefacts, evidence
from .cases import AFTERWARDS, ALL, CASES, Case
from .context import Context
from .state import SESSION, Result, write

PAPERS = {
    artefacts.ITEM: "item creation",
    artefacts.INVOICE: "invoice",
    artefacts.INVOICE_COPY: "invoice copy",
    artefacts.NOTE_COPY: "credit note copy",
}


def lay_out(ctx: Context, folder: Path) -> None:
    facts = collect(ctx, folder)
    write(folder / "verdict.json", msgspec.json.format(msgspec.json.encode(facts), indent=2))
    write(folder / "verdict.md", page(facts).encode())


def collect(ctx: Context, folder: Path) -> dict[str, Any]:
    state, company = ctx.state, ctx.company
    passed = sum(state.has_passed(case.id) for case in CASES)
    ends = [one.finished_at for one in state.results.values() if one.finished_at]
    return {
        "verdict": "passed" if passed == len(CASES) else "failed",
        "passed": passed,
        "cases": len(CASES),
        "target": state.target,
        "profile": company.profile,
        "host": settings.KRA_HOSTS[(company.environment, company.profile)][0],
        "company": {"pin": company.pin, "name": company.name},
        "branch": state.branch,
        "device": state.serial,
        "version": settings.SPECTACULAR_SETTINGS["VERSION"],
        "started_at": state.started_at,
        "finished_at": max(ends, default=state.started_at),
        "limit_s": int(SESSION.total_seconds()),
        "results": [_row(ctx, case) for case in CASES],
        "afterwards": [_row(ctx, case) for case in AFTERWARDS],
        "artefacts": artefacts.existing(folder),
    }


def _row(ctx: Context, case: Case) -> dict[str, Any]:
    result = ctx.state.results.get(case.id) or Result("skipped", 0, ctx.state.started_at)
    endpoint = ENDPOINTS[case.asks]
    is_direct = ctx.company.profile == "direct"
    return {
        "number": ALL.index(case) + 1,
        "case": case.id,
        "title": case.title,
        "endpoint": endpoint.path_direct if is_direct else endpoint.path_gavaconnect,
        "code": result.code,
        "verdict": result.words,
        "seconds": round(result.seconds, 2),
        "message": result.message,
        "next_step": result.next_step,
        "calls": [
            evidence.file_name(case, call)
            for call in Call.objects.filter(pk__in=result.calls).order_by("pk")
        ],
    }


def page(facts: dict[str, Any]) -> str:
    took = facts["finished_at"] - facts["started_at"]
    lines = [
        f"# Certification: {facts['verdict'].upper()}, {facts['passed']} of {facts['cases']} cases",
        "",
        f"- Target: {facts['target']} ({facts['profile']}), {facts['host']}",
        f"- Taxpayer: {cell(facts['company']['name'])}, PIN {facts['company']['pin']}, "
        f"branch {facts['branch']}, device {facts['device']}",
        f"- Software: eTIMS integration {facts['version']}",
        f"- From {_moment(facts['started_at'])} to {_moment(facts['finished_at'])} (Nairobi), "
        f"{took.total_seconds():.0f} s of {facts['limit_s']} s",
        "",
        "| # | case | endpoint | KRA's code | result | seconds |",
        "|---|---|---|---|---|---|",
    ]
    rows = facts["results"] + facts["afterwards"]
    lines += [
        f"| {row['number']} | {row['title']} | `{row['endpoint']}` | {row['code']} "
        f"| {row['verdict']} | {row['seconds']:.1f} |"
        for row in rows
    ]
    return "\n".join([*lines, *_open_points(rows), *_unproven(rows), *_papers(facts), ""])


def _open_points(rows: list[dict[str, Any]]) -> list[str]:
    points = [
        f"- {row['title']} ({row['verdict']}): {cell(row['message'])} {cell(row['next_step'])}"
        for row in rows
        if not row["verdict"].startswith("passed")
    ]
    return ["", "## To be done", "", *points] if points else []


def _unproven(rows: list[dict[str, Any]]) -> list[str]:
    """KRA counts these cases, and they prove less: no row of them was ever read."""
    empty = [f"- {row['title']}" for row in rows if row["verdict"] == "passed, empty"]
    return ["", "## Passed with an empty list", "", *empty] if empty else []


def _papers(facts: dict[str, Any]) -> list[str]:
    files = [
        f"- {PAPERS[name]}: " + (f"`{artefacts.FOLDER}/{file}`" if file else "missing")
        for name, file in facts["artefacts"].items()
    ]
    note = "Upload them within about three hours of the test. Requests and answers: `calls/`."
    return ["", "## Artefacts", "", *files, "", note]


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(NAIROBI):%d/%m/%Y %H:%M:%S}"


def cell(text: str) -> str:
    """Text of strangers inside Markdown: one line, no table or tag of its own."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
