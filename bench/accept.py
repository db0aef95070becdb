"""(a) How many sales a second the API takes, and what one costs, beside the floor."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench import floor
from bench.cpu import Meter
from bench.load import Connection, Result, hammer
from bench.report import Bound, Part, Row
from bench.shops import Till, get, round_robin
from bench.sizes import Sizes
from bench.world import Web, World, connect
from local.console import step

Figures = dict[str, list[float]]
LIVE = get("/health/live/")


@dataclass(frozen=True)
class Bench:
    world: World
    web: Web
    sizes: Sizes
    sql: str


def measure(world: World, tills: Sequence[Till], sizes: Sizes) -> Part:
    rows: list[Row] = []
    with world.web() as web:
        bench = Bench(world, web, sizes, _floor_script(world, web, tills[0]))
        hammer(web.port, round_robin(tills), seconds=sizes.warm_s)
        for some in (tills, tills[:1]):
            figures: Figures = defaultdict(list)
            for number in range(sizes.rounds):
                _round(bench, some, figures)
                step(f"accept, {len(some)} devices, round {number + 1} of {sizes.rounds}")
            rows += _rows(figures, len(some))
    forget_sales(world)
    notes = (
        "POST /api/sales/, 5 lines, no wait, 8 keep-alive connections; no worker runs",
        "floor: pgbench (of the server's own version where it has one), prepared, one statement"
        " that writes the same rows into the same tables, 8 clients",
        "empty view: GET /health/live/, a DRF view without token, throttle and database",
    )
    return Part("(a) Accept", notes, rows)


def _floor_script(world: World, web: Web, till: Till) -> str:
    one = Connection(web.port)
    status, _ = one.ask(till.post()())
    if status != 202:
        raise RuntimeError(f"{status}: {one.body[:500]!r}")
    return floor.script(world.env["DATABASE_URL"], json.loads(one.body)["id"])


def _round(bench: Bench, tills: Sequence[Till], figures: Figures) -> None:
    """The floor, ours and the empty view, one after the other."""
    world, seconds = bench.world, bench.sizes.accept_s
    url = world.env["DATABASE_URL"]
    meter = Meter(world.roots())
    base = floor.run(world.folder, url, bench.sql, tills, seconds=seconds)
    figures["floor"].append(base.rate)
    figures["floor CPU"].append(meter.spent().get("postgres", 0.0) * 1000 / len(base.times))
    meter = Meter(world.roots(web=bench.web.pid))
    ours = hammer(bench.web.port, round_robin(tills), seconds=seconds).check(202)
    spent = meter.spent()
    empty = hammer(bench.web.port, lambda: LIVE, seconds=seconds / 2).check(200)
    _note(figures, ours, base, empty)
    for name in ("web", "postgres", "redis"):
        figures[f"CPU {name}"].append(spent.get(name, 0.0) * 1000 / len(ours.times))


def _note(figures: Figures, ours: Result, base: Result, empty: Result) -> None:
    figures["ours"].append(ours.rate)
    figures["empty"].append(empty.rate)
    figures["ratio"].append(ours.rate / base.rate)
    figures["to empty"].append(ours.rate / empty.rate)
    figures["p50"].append(ours.at(50))
    figures["p99"].append(ours.at(99))
    figures["floor p99"].append(base.at(99))
    figures["p99 ratio"].append(ours.at(99) / base.at(99))


def _rows(figures: Figures, devices: int) -> list[Row]:
    who = f"{devices} device" + "s" * (devices > 1)
    named = [
        ("sales per second", "ours", None),
        ("floor per second", "floor", None),
        ("ours ÷ floor", "ratio", Bound(0.20, 0.12)),
        ("empty view per second", "empty", None),
        ("ours ÷ empty view", "to empty", None),
        ("p50 ms", "p50", None),
        ("p99 ms", "p99", None),
        ("floor's p99 ms", "floor p99", None),
        ("p99 ÷ floor's p99", "p99 ratio", Bound(15, at_most=True)),
        ("CPU ms per request, web", "CPU web", None),
        ("CPU ms per request, PostgreSQL", "CPU postgres", None),
        ("CPU ms per request, Redis", "CPU redis", None),
        ("floor's CPU ms per sale, PostgreSQL", "floor CPU", None),
    ]
    return [Row(f"{who}: {text}", figures[key], bound) for text, key, bound in named]


def forget_sales(world: World) -> None:
    """What was accepted here is never sent: take it away again."""
    connection = connect(world.env["DATABASE_URL"])
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE sales_receipt, sales_invoiceline, sales_invoice CASCADE")
        cursor.execute("DELETE FROM outbox_transmission WHERE kind = 'sale'")
        cursor.execute("VACUUM ANALYZE outbox_transmission")
    connection.close()
