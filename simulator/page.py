"""The state page: what KRA would hold, on one screen. No scripts, nothing from outside."""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from html import escape
from typing import Any

from aiohttp import web

from simulator import clock, ledger, orders
from simulator.journal import Entry
from simulator.server import Simulator
from simulator.state import Device, Invoice

_STYLE = """
:root { color-scheme: light dark; --line: #d5d9de; --soft: #f4f6f8; --faint: #5a6370;
  --bad: #b3261e; --paper: #fff; --ink: #1a1d21; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a4048; --soft: #1d2126; --faint: #a3acb8; --bad: #ffb4ab;
    --paper: #14171a; --ink: #e6e9ed; }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem;
  background: var(--paper); color: var(--ink); }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; color: var(--faint); }
.notice { border-left: 4px solid var(--bad); padding: .25rem .75rem; color: var(--bad); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .75rem; text-align: left; white-space: nowrap; vertical-align: top; }
thead th { background: var(--soft); font-weight: 600; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
td.number { text-align: right; }
td.text { white-space: normal; min-width: 14rem; }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_SHOWN = 20


def handler(simulator: Simulator) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def show(request: web.Request) -> web.StreamResponse:
        text = render(simulator)
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)

    return show


def render(simulator: Simulator) -> str:
    devices = list(simulator.world.devices.values())
    parts = [
        "<h1>eTIMS OSCU simulator</h1>",
        "<p>Nothing on this page comes from KRA or goes there. Reload to refresh. "
        f"Nairobi time {clock.spaced(clock.stamp())}.</p>",
        _notices(simulator),
        _section("Devices", _DEVICES, [_device(one) for one in devices]),
        _section("Latest invoices", _INVOICES, _invoices(devices)),
        _section("Stock", ("PIN", "Branch", "Item", "In ledger", "Reported"), _stock(devices)),
        _section("Faults", _FAULTS, _faults(simulator)),
        _section("Latest calls", _CALLS, [_call(one) for one in simulator.journal.last]),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>eTIMS OSCU simulator</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>"
    )


_DEVICES = (
    "PIN", "Branch", "Serial", "Name", "Mode", "Control unit", "State",
    "Last invoice", "Last stock", "Last purchase", "Receipts",
)  # fmt: skip
_INVOICES = (
    "Signed",
    "PIN",
    "Branch",
    "No.",
    "Kind",
    "Reference",
    "Buyer",
    "Total",
    "Tax",
    "Signature",
)
_FAULTS = ("Id", "Fault", "For", "Parameters", "Hits", "State")
_CALLS = ("At", "Endpoint", "Transport", "PIN", "Branch", "No.", "Outcome", "ms", "Text")


def _notices(simulator: Simulator) -> str:
    faults, found = simulator.faults, []
    if faults.down:
        found.append("Outage: every OSCU connection is closed until it is lifted.")
    if faults.chaos is not None:
        found.append(f"Chaos runs with seed {faults.chaos.seed}.")
    if faults.latency_ms:
        found.append(f"Every OSCU call takes {faults.latency_ms:g} ms longer.")
    return "".join(f'<p class="notice">{escape(text)}</p>' for text in found)


def _section(title: str, heads: Iterable[str], rows: list[tuple[Any, ...]]) -> str:
    if not rows:
        return f"<h2>{title}</h2><p>None yet.</p>"
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f'<h2>{title}</h2><div class="wide" tabindex="0" role="region" aria-label="{title}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(value: Any) -> str:
    text = "" if value is None else escape(str(value))
    if isinstance(value, int | float):
        return f'<td class="number">{text}</td>'
    return f'<td class="text">{text}</td>' if len(text) > 40 else f"<td>{text}</td>"


def _device(device: Device) -> tuple[Any, ...]:
    state = "initialised" if device.inits else "approved"
    return (
        device.pin,
        device.branch,
        device.serial,
        device.name,
        device.mode,
        device.control_unit,
        state,
        device.last_invoice,
        device.last_movement,
        device.last_purchase,
        sum(device.receipts.values()),
    )


def _invoices(devices: list[Device]) -> list[tuple[Any, ...]]:
    found: list[tuple[Device, Invoice]] = []
    for device in devices:
        latest = list(device.invoices.values())[-_SHOWN:]
        found.extend((device, one) for one in latest)
    found.sort(key=lambda pair: (pair[1].signed_at, pair[1].number), reverse=True)
    return [
        (
            clock.spaced(one.signed_at),
            device.pin,
            device.branch,
            one.number,
            "sale" if one.kind == "S" else f"credit note of {one.original}",
            one.reference,
            one.buyer_name or one.buyer_pin,
            f"{one.total:.2f}",
            f"{one.tax:.2f}",
            one.signature,
        )
        for device, one in found[:_SHOWN]
    ]


def _stock(devices: list[Device]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for device in devices:
        for code, quantity in sorted(device.stock.items()):
            reported = device.reported.get(code)
            shown = None if reported is None else str(ledger.plain(reported))
            rows.append((device.pin, device.branch, code, str(ledger.plain(quantity)), shown))
    return rows[:200]


def _faults(simulator: Simulator) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for fault in simulator.faults.active.values():
        shown = orders.shown(fault)
        where = " ".join(str(shown[name] or "any") for name in ("pin", "branch", "endpoint"))
        given = ", ".join(f"{key}={value}" for key, value in fault.parameters.items())
        state = "over" if shown["over"] else "armed"
        rows.append((fault.id, fault.name, where, given, fault.hits, state))
    return rows


def _call(entry: Entry) -> tuple[Any, ...]:
    outcome = f"{entry.outcome} ({entry.fault})" if entry.fault else entry.outcome
    return (
        clock.spaced(entry.at),
        entry.endpoint,
        entry.transport,
        entry.pin,
        entry.branch,
        entry.number,
        outcome,
        round(entry.ms, 1),
        entry.text,
    )
