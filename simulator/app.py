"""The HTTP surface: both transports, the token, the control API and the state page."""

from aiohttp import web

from simulator import page, profiles
from simulator.control import Control, Handler
from simulator.protocol import Endpoint
from simulator.server import Simulator, reply

_LARGEST = 16 * 1024 * 1024


def build(simulator: Simulator) -> web.Application:
    app = web.Application(client_max_size=_LARGEST)
    for path, endpoint, gateway in profiles.routes():
        app.router.add_route("*", path, _handler(simulator, endpoint, gateway))
    app.router.add_route("*", profiles.TOKEN, simulator.token)
    app.router.add_routes(Control(simulator).routes())
    app.router.add_get("/", page.handler(simulator))
    app.router.add_route("*", "/{other:.*}", _not_found)
    return app


def _handler(simulator: Simulator, endpoint: Endpoint, gateway: bool) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await simulator.call(request, endpoint, gateway)

    return handle


async def _not_found(request: web.Request) -> web.StreamResponse:
    return reply(404, {"error": "Nothing is served at this path."})
