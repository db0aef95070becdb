"""(c) How fast a backlog reaches KRA, beside what the round trips alone allow."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from bench.copies import accept, owe_sales
from bench.cpu import Meter
from bench.report import Bound, Part, Row, percentile
from bench.shops import Till, settle
from bench.sizes import Sizes
from bench.world import THREADS_EACH, WORKER_THREADS, World, connect
from local.console import Problem, say, step

RTT_S = 0.3
OPEN = "status IN ('queued', 'sending', 'unknown', 'conflict')"
DELIVERED = "reference LIKE %(run)s || '-%%' AND finished_at IS NOT NULL"
SWEEP_EVERY_S = 5.0
Figures = dict[str, list[float]]
GOALS = {1: Bound(0.95, 0.90), 50: Bound(0.95, 0.85), 500: Bound(0.80, 0.55)}


@dataclass
class Bench:
    world: World
    tills: Sequence[Till]
    sizes: Sizes
    cursor: Any
    figures: Figures = field(default_factory=lambda: defaultdict(list))
    started_at: float = 0.0
    most_connections: int = 0
    # Done once, so many seconds after the first ring.
    errand: tuple[float, Callable[[], object]] | None = None


def ideal_s(each: int, lanes: int) -> float:
    return max(each * RTT_S, each * lanes * RTT_S / WORKER_THREADS)


def measure(world: World, tills: Sequence[Till], sizes: Sizes) -> Part:
    with closing(connect(world.env["DATABASE_URL"])) as connection:
        bench = Bench(world, tills, sizes, connection.cursor())
        for number in range(sizes.rounds):
            for lanes, each in sizes.drains:
                _drain(bench, lanes, each, f"D{number}L{lanes}")
                step(f"drain of {lanes} × {each}, round {number + 1} of {sizes.rounds}")
            _fairness(bench, f"F{number}")
            step(f"fairness, round {number + 1} of {sizes.rounds}")
        checked = compare_ledgers(bench)
    notes = (
        f"simulator at {RTT_S * 1000:.0f} ms; workers of {THREADS_EACH} threads,"
        f" {WORKER_THREADS} in all;"
        " the first sale of each lane by sales.acceptance, copied by SQL; rung by"
        " outbox.tasks.sweep, first"
        f" by a call, then as beat does every {SWEEP_EVERY_S:.0f} s",
        f"ideal = max(per lane × {RTT_S:.1f} s, total × {RTT_S:.1f} s ÷ {WORKER_THREADS}); from the"
        " first ring to the last acceptance",
        f"afterwards {checked:,} sales of {len(tills)} devices were compared with the simulator's"
        " ledger: each device's numbers 1…n exactly once, each under its own reference",
    )
    return Part("(c) Drain", notes, _rows(bench))


def _drain(bench: Bench, lanes: int, each: int, run: str) -> None:
    some, ideal = bench.tills[:lanes], ideal_s(each, lanes)
    with warm_workers(bench, run) as workers:
        total = owe_sales(bench.cursor, some, each, run)
        roots = bench.world.roots(**workers)
        meter, bench.most_connections = Meter(roots), 0
        if lanes == WORKER_THREADS:
            fresh = bench.tills[-2]
            bench.errand = (ideal / 4, lambda: accept(fresh, f"FRESH-{run}"))
        _ring_until(bench, lambda: not _is_any(bench, OPEN), seconds=4 * ideal + 30)
        spent = meter.spent()
    done = _finished(bench, run)
    if len(done) != total:
        raise Problem(f"{len(done)} of {total} were delivered in {4 * ideal + 30:.0f} s.")
    bench.figures[f"{lanes} ratio"].append(ideal / (max(done) - bench.started_at))
    bench.figures[f"{lanes} connections"].append(bench.most_connections)
    bench.figures["fresh"] += _waits(bench, f"FRESH-{run}")
    _note_cpu(bench.figures, lanes, {name: s * 1000 / total for name, s in spent.items()})


def _note_cpu(figures: Figures, lanes: int, ms: dict[str, float]) -> None:
    ms["worker"] = sum(spent for name, spent in ms.items() if name.startswith("worker"))
    for name in ("worker", "postgres", "redis", "simulator"):
        figures[f"{lanes} {name}"].append(ms.get(name, 0.0))
    ours = (ms.get(name, 0.0) for name in ("worker", "postgres", "redis"))
    figures[f"{lanes} all"].append(sum(ours))


@contextmanager
def warm_workers(bench: Bench, run: str) -> Iterator[dict[str, int]]:
    """Fresh workers whose threads have their connections: each has delivered something."""
    settle(bench.world)
    bench.world.latency(int(RTT_S * 1000))
    with bench.world.workers() as pids:
        owe_sales(bench.cursor, bench.tills[: 2 * WORKER_THREADS], 1, f"W{run}")
        _ring_until(bench, lambda: not _is_any(bench, OPEN), seconds=60)
        yield {f"worker {number}": pid for number, pid in enumerate(pids)}


def _ring_until(bench: Bench, is_over: Callable[[], bool], *, seconds: float) -> None:
    """What beat does, until it is over or time is up."""
    from etims_integration.celery import app
    from outbox.tasks import sweep

    bench.started_at = time.time()
    deadline = time.monotonic() + seconds
    sweep()
    next_sweep = time.monotonic() + SWEEP_EVERY_S
    while not is_over() and time.monotonic() < deadline:
        time.sleep(0.5)
        if bench.errand and time.time() > bench.started_at + bench.errand[0]:
            bench.errand[1]()
            bench.errand = None
        bench.most_connections = max(bench.most_connections, _connections(bench))
        if time.monotonic() > next_sweep:
            app.send_task("outbox.tasks.sweep", expires=30)
            next_sweep += SWEEP_EVERY_S


def _is_any(bench: Bench, where: str, **facts: Any) -> bool:
    bench.cursor.execute(f"SELECT 1 FROM outbox_transmission WHERE {where} LIMIT 1", facts)
    return bench.cursor.fetchone() is not None


def _connections(bench: Bench) -> int:
    """Of the worker: this process has two of its own, this cursor's and Django's."""
    bench.cursor.execute(
        "SELECT count(*) - 2 FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend'"
    )
    return int(bench.cursor.fetchone()[0])


def _finished(bench: Bench, run: str) -> list[float]:
    sql = "SELECT extract(epoch FROM finished_at)::float8 FROM outbox_transmission"
    bench.cursor.execute(f"{sql} WHERE status = 'accepted' AND {DELIVERED}", {"run": run})
    return [row[0] for row in bench.cursor.fetchall()]


def _waits(bench: Bench, reference: str) -> list[float]:
    """Seconds from the sale to KRA's signature."""
    bench.cursor.execute(
        "SELECT extract(epoch FROM finished_at - created_at)::float8 FROM outbox_transmission"
        " WHERE reference = %s",
        [reference],
    )
    return [row[0] for row in bench.cursor.fetchall()]


def _fairness(bench: Bench, run: str) -> None:
    """Many short lanes beside a long one; and a sale made in the middle of it all."""
    sizes, tills = bench.sizes, bench.tills
    small = tills[: sizes.small_lanes]
    ideal = ideal_s(sizes.small_each, sizes.small_lanes)
    with warm_workers(bench, run):
        owe_sales(bench.cursor, tills[-1:], sizes.long_backlog, f"{run}long")
        total = owe_sales(bench.cursor, small, sizes.small_each, f"{run}small")
        late = f"lane_id <> {tills[-1].lane_id} AND {OPEN}"
        _ring_until(bench, lambda: not _is_any(bench, late), seconds=4 * ideal + 30)
    done = _finished(bench, f"{run}small")
    if len(done) != total:
        raise Problem(f"{len(done)} of {total} messages of the small lanes were delivered.")
    times = [moment - bench.started_at for moment in done]
    bench.figures["fair"].append(max(times) / ideal)
    bench.figures["fair p50"].append(percentile(times, 50) / ideal)
    settle(bench.world, seconds=60)


def compare_ledgers(bench: Bench) -> int:
    """The simulator's books against ours, device by device. A Problem where they differ."""
    bench.world.latency(0)
    checked = 0
    for till in bench.tills:
        device = till.device
        query = urlencode({"pin": device.company.pin, "branch": device.branch.code})
        held = bench.world.simulate("GET", f"ledger?{query}")["invoices"]
        theirs = [(one["number"], one["reference"]) for one in held]
        bench.cursor.execute(
            "SELECT number, reference FROM outbox_transmission WHERE lane_id = %s"
            " AND status = 'accepted' ORDER BY number",
            [till.lane_id],
        )
        ours = bench.cursor.fetchall()
        if theirs != ours or [number for number, _ in ours] != list(range(1, len(ours) + 1)):
            raise Problem(f"{device.serial}: KRA holds {len(theirs)}, we {len(ours)}; they differ.")
        checked += len(ours)
    say(f"{checked:,} sales agree with the simulator's ledger.")
    return checked


def _rows(bench: Bench) -> list[Row]:
    rows, figures, sizes = [], bench.figures, bench.sizes
    for lanes, each in sizes.drains:
        name = f"{lanes} × {each}"
        rows.append(Row(f"{name}: achieved ÷ ideal", figures[f"{lanes} ratio"], GOALS.get(lanes)))
        cheap = Bound(1.5, at_most=True)
        rows.append(Row(f"{name}: CPU ms per message in all", figures[f"{lanes} all"], cheap))
        for key in ("worker", "postgres", "redis", "simulator"):
            label = f"{name}: CPU ms per message, {key}" + " (aside)" * (key == "simulator")
            rows.append(Row(label, figures[f"{lanes} {key}"]))
        rows.append(Row(f"{name}: PostgreSQL connections", figures[f"{lanes} connections"]))
    fresh = f"a sale made while {WORKER_THREADS} long lanes hold all threads: s until signed"
    small = f"{sizes.small_lanes} × {sizes.small_each} beside one of {sizes.long_backlog}"
    return [
        *rows,
        Row(fresh, figures["fresh"]),
        Row(f"{small}: last ÷ their ideal", figures["fair"], Bound(2, at_most=True)),
        Row(f"{small}: half of them ÷ ideal", figures["fair p50"]),
    ]
