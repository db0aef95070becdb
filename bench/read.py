"""(d) Reading: a page of the list of invoices, beside an empty view, with few and many rows."""

import base64
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.accept import forget_sales
from bench.copies import accept, multiply
from bench.load import Result, hammer
from bench.report import Bound, Part, Row
from bench.shops import Till, get
from bench.sizes import Sizes
from bench.world import Web, World, connect, leave_database, own_database
from local.console import step

PAGE = 100
LIST = f"/api/invoices/?limit={PAGE}"
LIVE = get("/health/live/")
FILTERED = f"{LIST}&status=signed"
Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Side:
    """One database with so many invoices of one device, and a web server on it."""

    web: Web
    middle: int
    secret: str

    def pages(self) -> dict[str, bytes]:
        token = f"Authorization: Token {self.secret}\r\n"
        cursor = base64.b64encode(f"p={self.middle}".encode()).decode().replace("=", "%3D")
        return {
            "first page": get(LIST, token),
            "middle page": get(f"{LIST}&cursor={cursor}", token),
            "signed only": get(FILTERED, token),
        }


def measure(world: World, tills: Sequence[Till], sizes: Sizes) -> Part:
    forget_sales(world)
    model = accept(tills[0], "LIST")
    queries = _count_queries(world, tills[0], model)
    leave_database()
    figures: Figures = defaultdict(list)
    with ExitStack() as stack:
        small, large = (
            _open_side(world, tills[0], model, size, stack)
            for size in (sizes.read_small, sizes.read_large)
        )
        for number in range(sizes.rounds):
            _round(small, large, sizes, figures)
            step(f"read, round {number + 1} of {sizes.rounds}")
    notes = (
        f"GET {LIST}, invoices of 5 lines, signed, 8 keep-alive connections; empty view: GET"
        " /health/live/; two databases, each with a web server of its own that idles meanwhile",
        f"queries of one page: {queries[0]} for 10 invoices, {queries[1]} for {PAGE}",
    )
    return Part("(d) Reading", notes, _rows(figures, sizes))


def _open_side(world: World, till: Till, model: int, size: int, stack: ExitStack) -> Side:
    main = world.env["DATABASE_URL"]
    url = stack.enter_context(own_database(main, f"list{size}", template=main))
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        multiply(cursor, model, size, signed=True)
        cursor.execute("VACUUM ANALYZE")
    step(f"a database with {size:,} invoices")
    return Side(stack.enter_context(world.web(url)), model + size // 2, till.secret)


def _round(small: Side, large: Side, sizes: Sizes, figures: Figures) -> None:
    def take(side: Side, request: bytes, connections: int = 8) -> Result:
        send: Callable[[], bytes] = partial(bytes, request)
        hammer(side.web.port, send, seconds=sizes.read_s / 4, connections=connections)
        again = hammer(side.web.port, send, seconds=sizes.read_s, connections=connections)
        return again.check(200)

    empty = take(small, LIVE)
    figures["empty"].append(empty.rate)
    first, other = small.pages(), large.pages()
    for name in first:
        few, many = take(small, first[name]), take(large, other[name])
        figures[name].append(few.rate)
        figures[f"{name} ratio"].append(few.rate / empty.rate)
        figures[f"{name} growth"].append(few.rate / many.rate)
        figures[f"{name} p50"].append(few.at(50))
        # One client alone: the time of a page, without a queue.
        figures[f"{name} alone"].append(take(small, first[name], 1).at(50))


def _count_queries(world: World, till: Till, model: int) -> tuple[int, int]:
    """Of one page with few and with many invoices, once everything is cached."""
    with closing(connect(world.env["DATABASE_URL"])) as connection, connection.cursor() as cursor:
        multiply(cursor, model, PAGE, signed=True)
        counts = tuple(_queries_of(till, f"/api/invoices/?limit={n}") for n in (10, PAGE))
        cursor.execute("DELETE FROM sales_receipt")
        cursor.execute("DELETE FROM sales_invoiceline WHERE invoice_id <> %s", [model])
        cursor.execute("DELETE FROM sales_invoice WHERE id <> %s", [model])
        cursor.execute(
            "DELETE FROM outbox_transmission WHERE kind = 'sale' AND id NOT IN"
            " (SELECT transmission_id FROM sales_invoice)"
        )
    return counts[0], counts[1]


def _queries_of(till: Till, path: str) -> int:
    from django.db import connection
    from django.test import Client

    counted = []

    def count(execute: Any, *args: Any) -> Any:
        counted.append(1)
        return execute(*args)

    headers = {"Authorization": f"Token {till.secret}"}
    Client().get(path, headers=headers)
    with connection.execute_wrapper(count):
        answer = Client().get(path, headers=headers)
    assert answer.status_code == 200, answer.content[:300]
    return len(counted)


def _rows(figures: Figures, sizes: Sizes) -> list[Row]:
    rows = [Row("empty view per second", figures["empty"])]
    for name in ("first page", "middle page", "signed only"):
        goal = Bound(0.5) if name == "first page" else None
        rows += [
            Row(f"{name} of {sizes.read_small:,}: per second", figures[name]),
            Row(f"{name}: ÷ empty view", figures[f"{name} ratio"], goal),
            Row(f"{name}: p50 ms, 8 clients", figures[f"{name} p50"]),
            Row(f"{name}: p50 ms, 1 client", figures[f"{name} alone"]),
            Row(
                f"{name}: time of {sizes.read_large:,} ÷ {sizes.read_small:,}",
                figures[f"{name} growth"],
                Bound(2, at_most=True),
            ),
        ]
    return rows
