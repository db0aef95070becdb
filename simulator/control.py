"""The control API under /_simulator/: what a test orders and reads."""

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from simulator import clock, orders, wire
from simulator.alterations import alteration
from simulator.faults import Chaos, Fault
from simulator.ledger import counters, ledger
from simulator.orders import Bad
from simulator.rules.devices import Approval, BranchTaken, approve
from simulator.server import Simulator, reply
from simulator.state import RATES, Device

PREFIX = "/_simulator"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_PIN = re.compile(r"[A-Z]\d{9}[A-Z]", re.ASCII)


async def _body(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    try:
        body = wire.decode(raw) if raw else {}
    except wire.BadJSON as exc:
        raise Bad(f"The body is not JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise Bad("The body must be a JSON object.")
    return body


def _guarded(handler: Handler) -> Handler:
    """Errors of this API are JSON with one sentence."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return reply(403, {"error": "Orders come from this machine, not from web sites."})
        try:
            return await handler(request)
        except Bad as exc:
            return reply(400, {"error": str(exc)})
        except BranchTaken as exc:
            return reply(409, {"error": f"The branch has the device with serial {exc} already."})

    return guarded


class Control:
    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.world = simulator.world
        self.faults = simulator.faults

    def routes(self) -> list[web.RouteDef]:
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/devices", self.list_devices),
            ("POST", "/devices", self.approve),
            ("POST", "/taxpayers", self.name_taxpayer),
            ("GET", "/faults", self.list_faults),
            ("POST", "/faults", self.add_fault),
            ("DELETE", "/faults", self.remove_faults),
            ("DELETE", "/faults/{id}", self.remove_fault),
            ("GET", "/chaos", self.show_chaos),
            ("POST", "/chaos", self.start_chaos),
            ("DELETE", "/chaos", self.stop_chaos),
            ("PUT", "/outage", self.set_outage),
            ("PUT", "/latency", self.set_latency),
            ("PUT", "/rates", self.set_rates),
            ("GET", "/ledger", self.ledger),
            ("PUT", "/invoices", self.alter_invoice),
            ("DELETE", "/invoices", self.alter_invoice),
            ("GET", "/stats", self.stats),
            ("POST", "/reset", self.reset),
        ]
        return [
            web.route(method, PREFIX + path, _guarded(handler)) for method, path, handler in table
        ]

    async def list_devices(self, request: web.Request) -> web.StreamResponse:
        with_key = request.query.get("with_key") == "1"
        rows = [shown_device(one, with_key=with_key) for one in self.world.devices.values()]
        return reply(200, {"devices": rows})

    async def approve(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        for name in ("pin", "branch", "serial"):
            if not isinstance(body.get(name), str) or not body[name]:
                raise Bad(f"{name} must be a text.")
        if not _PIN.fullmatch(body["pin"]):
            raise Bad("pin must be a letter, nine digits and a letter.")
        if body.get("mode") not in (None, "strict", "lenient"):
            raise Bad("mode must be strict or lenient.")
        if body.get("kind", "oscu") not in ("oscu", "vscu"):
            raise Bad("kind must be oscu or vscu.")
        wanted = Approval(
            pin=body["pin"],
            branch=body["branch"],
            serial=body["serial"],
            mode=body.get("mode"),
            name=body.get("name"),
            kind=body.get("kind", "oscu"),
        )
        device, new = approve(self.world, self.simulator.options, wanted)
        await self.world.committed()
        return reply(201 if new else 200, shown_device(device, with_key=False))

    async def name_taxpayer(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        pin, name = body.get("pin"), body.get("name")
        if not isinstance(pin, str) or not isinstance(name, str):
            raise Bad("pin and name must be texts.")
        self.world.record("name", pin, "", "", {"name": name})
        await self.world.committed()
        return reply(201, {"pin": pin, "name": name})

    async def list_faults(self, request: web.Request) -> web.StreamResponse:
        return reply(200, {"faults": [orders.shown(one) for one in self.faults.active.values()]})

    async def add_fault(self, request: web.Request) -> web.StreamResponse:
        body = {"seed": self.simulator.options.seed, **await _body(request)}
        fault = self.faults.add(**orders.fault_settings(body))
        return reply(201, orders.shown(fault))

    async def remove_faults(self, request: web.Request) -> web.StreamResponse:
        self.faults.active.clear()
        return reply(200, {"faults": []})

    async def remove_fault(self, request: web.Request) -> web.StreamResponse:
        found = self.faults.active.pop(request.match_info["id"], None)
        if found is None:
            return reply(404, {"error": "There is no fault with this id."})
        return reply(200, orders.shown(found))

    async def show_chaos(self, request: web.Request) -> web.StreamResponse:
        chaos = self.faults.chaos
        if chaos is None:
            return reply(200, {"chaos": None})
        shown = {
            "seed": chaos.seed,
            "probabilities": chaos.probabilities,
            "hits": dict(chaos.hits),
            "calls": sum(chaos.calls.values()),
        }
        return reply(200, {"chaos": shown})

    async def start_chaos(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        self.faults.chaos = Chaos(
            seed=body.get("seed", self.simulator.options.seed),
            probabilities=orders.chaos_probabilities(body),
            scope=Fault(id="chaos", name="chaos", parameters={}, **orders.scope(body)),
        )
        return reply(201, {"seed": self.faults.chaos.seed})

    async def stop_chaos(self, request: web.Request) -> web.StreamResponse:
        self.faults.chaos = None
        return reply(200, {"chaos": None})

    async def set_outage(self, request: web.Request) -> web.StreamResponse:
        down = (await _body(request)).get("down")
        if not isinstance(down, bool):
            raise Bad("down must be true or false.")
        self.faults.down = down
        return reply(200, {"down": down})

    async def set_latency(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        orders.check_parameters("latency", {"ms": body.get("ms")})
        self.faults.latency_ms = float(body["ms"])
        return reply(200, {"ms": self.faults.latency_ms})

    async def set_rates(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        rates = {letter: str(rate) for letter, rate in body.items()}
        if not rates or not all(_is_rate(letter, rate) for letter, rate in rates.items()):
            raise Bad('Rates are percentages from 0 to 100 by letter, such as {"E": "8"}.')
        document = {"rates": rates, "changed": clock.stamp()}
        everything = {**{k: str(v) for k, v in self.world.rates.items()}, **rates}
        self.world.record("rates", "", "", "", {**document, "rates": everything})
        await self.world.committed()
        return reply(200, {letter: str(rate) for letter, rate in self.world.rates.items()})

    async def ledger(self, request: web.Request) -> web.StreamResponse:
        key = (request.query.get("pin", ""), request.query.get("branch", ""))
        device = self.world.devices.get(key)
        if device is None:
            return reply(404, {"error": "There is no device with this pin and branch."})
        return reply(200, ledger(self.world, device))

    async def alter_invoice(self, request: web.Request) -> web.StreamResponse:
        """Books that went wrong at KRA: change a stored invoice, add one, or take it away."""
        body = await _body(request)
        device = self.world.devices.get((str(body.get("pin")), str(body.get("branch"))))
        if device is None:
            return reply(404, {"error": "There is no device with this pin and branch."})
        document = alteration(body, device, is_removal=request.method == "DELETE")
        number = str(body["number"])
        self.world.record("alteration", device.pin, device.branch, number, document)
        await self.world.committed()
        return reply(200, {"number": body["number"], "invoices": len(device.invoices)})

    async def stats(self, request: web.Request) -> web.StreamResponse:
        return reply(200, self.simulator.journal.stats())

    async def reset(self, request: web.Request) -> web.StreamResponse:
        self.simulator.reset()
        return reply(200, {"reset": True})


def _is_rate(letter: str, rate: str) -> bool:
    try:
        return letter in RATES and 0 <= Decimal(rate) <= 100
    except InvalidOperation:
        return False


def shown_device(device: Device, *, with_key: bool) -> dict[str, Any]:
    shown = {
        "pin": device.pin,
        "branch": device.branch,
        "serial": device.serial,
        "name": device.name,
        "mode": device.mode,
        "kind": device.kind,
        "initialised": device.inits > 0,
        "control_unit": device.control_unit,
        "counters": counters(device),
    }
    if with_key:
        shown["cmc_key"] = device.cmc_key
    return shown
