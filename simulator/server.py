"""One call from its headers to its answer, or to the accident that was ordered for it.

The rules run without waiting for anything, so two calls never interleave inside them; the
answer leaves only after the commit.
"""

import asyncio
import time
from typing import Any

from aiohttp import web

from simulator import accidents, clock, profiles, wire
from simulator.answers import Answer, Coded, Refused, Verdict
from simulator.calls import Call
from simulator.faults import Faults, Plan
from simulator.journal import Entry, Journal, printable
from simulator.options import Options
from simulator.protocol import Endpoint
from simulator.rules import HANDLERS
from simulator.state import Device, World

_BODY_IDENTITY = {"stock_move_list", "purchase_sales_list"}  # look-ups that want it there too


class Simulator:
    def __init__(self, world: World, options: Options) -> None:
        self.world = world
        self.options = options
        self.faults = Faults(options.latency_ms)
        self.journal = Journal()
        self.tokens = profiles.Tokens(options)

    def reset(self) -> None:
        self.world.reset()
        self.faults.reset()
        self.journal.reset()

    async def call(
        self, request: web.Request, endpoint: Endpoint, gateway: bool
    ) -> web.StreamResponse:
        started = time.perf_counter()
        entry = Entry(request.method, endpoint.id, "gateway" if gateway else "direct")
        try:
            if self.faults.down:
                entry.outcome, entry.fault = "closed", "down"
                return accidents.drop(request)
            exchange = Exchange(self, request, endpoint, entry)
            return await exchange.run(await request.read())
        finally:
            self.journal.write(entry, started)

    async def token(self, request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        entry = Entry(request.method, "token", "gateway")
        plan = self.faults.plan(("", "", "token"))
        entry.fault = plan.names
        try:
            if self.faults.down:
                entry.outcome, entry.fault = "closed", "down"
                return accidents.drop(request)
            await asyncio.sleep(plan.delay)
            status, body = self._token(request)
            entry.outcome = str(status)
            if plan.outcome is not None:
                return await accidents.happen(request, plan, True, (status, body))
            return reply(status, body)
        finally:
            self.journal.write(entry, started)

    def _token(self, request: web.Request) -> tuple[int, Any]:
        if request.method != "GET":
            return 200, None  # the live host: 200 and an empty body
        token = self.tokens.issue(request.headers.get("Authorization", ""))
        if token is None or request.query.get("grant_type") != "client_credentials":
            return 401, profiles.unauthorized()
        return 200, {"access_token": token, "expires_in": str(self.options.token_seconds)}


def reply(status: int, body: Any) -> web.Response:
    raw = b"" if body is None else wire.encode(body)
    return web.Response(status=status, body=raw, content_type="application/json")


class Exchange:
    """One request on its way through the plan made for it."""

    def __init__(
        self, simulator: Simulator, request: web.Request, endpoint: Endpoint, entry: Entry
    ) -> None:
        self.simulator = simulator
        self.request = request
        self.endpoint = endpoint
        self.entry = entry
        self.gateway = entry.transport == "gateway"
        self.raw = b""
        self.body: Any = None

    async def run(self, raw: bytes) -> web.StreamResponse:
        self._read(raw)
        entry = self.entry
        plan = self.simulator.faults.plan((entry.pin, entry.branch, self.endpoint.id))
        entry.fault = plan.names
        if not plan.stored_first:
            await asyncio.sleep(plan.delay)
        result = await self._answered(plan) if accidents.lets_through(plan) else None
        if plan.stored_first and plan.delay:
            await asyncio.sleep(plan.delay)
        if plan.outcome is not None:
            entry.outcome = entry.outcome or "none"
            return await accidents.happen(self.request, plan, self.gateway, result)
        assert result is not None
        return reply(*result)

    def _read(self, raw: bytes) -> None:
        self.raw = raw
        try:
            self.body = wire.decode(raw) if raw else None
        except wire.BadJSON:
            self.body = None
        body = self.body if isinstance(self.body, dict) else {}
        headers = self.request.headers
        self.entry.pin = printable(headers.get("tin") or body.get("tin"))
        self.entry.branch = printable(headers.get("bhfId") or body.get("bhfId"))
        number = body.get("invcNo", body.get("sarNo", body.get("itemCd")))
        self.entry.number = printable(number)

    async def _answered(self, plan: Plan) -> tuple[int, Any]:
        """The answer after its commit. What happens to it on the way out is not our business."""
        simulator = self.simulator
        if self.gateway:
            refusal = simulator.tokens.refusal(self.request.headers.get("Authorization", ""))
            if refusal is not None:
                self.entry.outcome = "401"
                return 401, refusal
        try:
            answer = self._judge()
        except Verdict as verdict:
            answer = verdict.answer()
        await simulator.world.committed()
        self.entry.outcome = "refused" if answer.refused else answer.code
        self.entry.text = answer.message if answer.code not in ("000", "001") else ""
        if plan.shapes:
            answer.data = accidents.distort(answer.data, plan.shapes)
        return profiles.wrap(answer, self.gateway)

    def _judge(self) -> Answer:
        """The checks in KRA's order: headers, device, fields, then the rules of the endpoint."""
        if self.request.method != "POST":
            raise Coded("912")
        device = self.simulator.world.devices.get((self.entry.pin, self.entry.branch))
        mode = device.mode if device is not None else self.simulator.options.mode
        strict = mode == "strict"
        headers = self.request.headers
        if self.gateway and strict:
            profiles.check_app(headers, self.simulator.options)
        if self.endpoint.id != "init":
            known = self.body if isinstance(self.body, dict) else {}
            pin, branch, key = profiles.identity(
                headers, known, headers_only=self.gateway and strict
            )
            self._check_device(device, key, strict)
        if not self.raw:
            raise Coded("911")
        if not isinstance(self.body, dict):
            raise Coded("910")
        if strict and self.endpoint.id != "init":
            self._check_body_identity(self.body)
        return HANDLERS[self.endpoint.id](self._call(device))

    def _check_device(self, device: Device | None, key: str, strict: bool) -> None:
        if device is None or not device.inits or key != device.cmc_key:
            if device is None and strict and self.gateway and self.endpoint.id == "item_save":
                # A wrong branch header surfaces like this.
                raise Refused(
                    "Error occurred while validating item tax type: Please try again later"
                )
            raise Coded("901")
        if self.simulator.options.repeat_init_corrupts and self.gateway and device.inits > 1:
            raise Refused(f"Query did not return a unique result: {device.inits} results")

    def _check_body_identity(self, body: dict[str, Any]) -> None:
        """Where a body repeats PIN and branch, they are those of the headers."""
        if self.gateway and self.endpoint.id in _BODY_IDENTITY:
            for name in ("tin", "bhfId"):
                if not body.get(name):
                    raise Refused(f"{name} cannot be Null")
        for name, value in (("tin", self.entry.pin), ("bhfId", self.entry.branch)):
            if body.get(name) not in (None, value):
                raise Coded("901")

    def _call(self, device: Device | None) -> Call:
        return Call(
            world=self.simulator.world,
            options=self.simulator.options,
            endpoint=self.endpoint,
            gateway=self.gateway,
            body=self.body,
            pin=self.entry.pin,
            branch=self.entry.branch,
            moment=clock.now(),
            known=device,
        )
