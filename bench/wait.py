"""(b) What the till feels: how long a sale takes, whatever KRA does."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bench.load import Result, sell
from bench.report import Bound, Part, Row
from bench.shops import Till, settle
from bench.sizes import Sizes
from bench.world import Web, World
from local.console import step

RTT_MS = 300
SLOW_MS = 3000
PATIENCE_S = 5
Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Bench:
    world: World
    web: Web
    tills: Sequence[Till]
    seconds: float

    def sell(self, tills: int, *, wait: int = 0, seconds: float = 0) -> Result:
        makers = [till.post(wait=wait) for till in self.tills[:tills]]
        result = sell(self.web.port, makers, seconds=seconds or self.seconds)
        return result.check(201, 202)

    def put_kra(self, state: str) -> None:
        """Into one of the states that are measured, with nothing left to send."""
        settle(self.world)
        if state == "down":
            self.world.outage(True)
        else:
            self.world.latency(SLOW_MS if state == "3 s" else RTT_MS)


def measure(world: World, tills: Sequence[Till], sizes: Sizes) -> Part:
    figures: Figures = defaultdict(list)
    with world.workers(), world.beat(), world.web() as web:
        bench = Bench(world, web, tills[: sizes.wait_tills], sizes.wait_s)
        bench.sell(len(bench.tills), seconds=2.0)  # a first request of each process warms it
        for number in range(sizes.rounds):
            for kra in ("300 ms", "3 s", "down"):
                _queue(bench, kra, figures)
            _sign(bench, figures)
            _give_up(bench, figures)
            step(f"wait, round {number + 1} of {sizes.rounds}")
        settle(world)
    notes = (
        "each till sells every half second, or when its last sale is answered if that is later;"
        f" workers of 50 threads in all and beat run; {len(bench.tills)} devices",
        "down: the simulator closes every connection at once",
        "with Prefer: wait=5 the time over KRA's own 300 ms or 3 s is shown, but for KRA down",
    )
    return Part("(b) What the till feels", notes, _rows(figures, len(bench.tills)))


def _queue(bench: Bench, kra: str, figures: Figures) -> None:
    for tills in (1, len(bench.tills)):
        bench.put_kra(kra)
        result = bench.sell(tills)
        figures[f"queue {kra} {tills} p50"].append(result.at(50))
        figures[f"queue {kra} {tills} p99"].append(result.at(99))


def _sign(bench: Bench, figures: Figures) -> None:
    """Prefer: wait=5 and KRA signs: what we add to KRA's time."""
    for kra, own_ms in (("300 ms", RTT_MS), ("3 s", SLOW_MS)):
        for tills in (1, len(bench.tills)):
            bench.put_kra(kra)
            result = bench.sell(tills, wait=PATIENCE_S).check(201)
            figures[f"wait {kra} {tills} p50"].append(result.at(50) - own_ms)
            figures[f"wait {kra} {tills} p99"].append(result.at(99) - own_ms)


def _give_up(bench: Bench, figures: Figures) -> None:
    """Prefer: wait=5 and KRA is down: first nobody knows it yet, then the breaker is open."""
    from django.utils import timezone

    from outbox.models import Breaker

    bench.put_kra("down")
    result = bench.sell(1, wait=PATIENCE_S, seconds=0.1).check(202)
    figures["closed"].append(max(result.times) - PATIENCE_S * 1000)
    now = timezone.now()
    Breaker.objects.update(is_open=True, opened_at=now, probe_at=now + timedelta(hours=1))
    result = bench.sell(len(bench.tills), wait=PATIENCE_S).check(202)
    figures["open p50"].append(result.at(50))
    figures["open p99"].append(result.at(99))


def _rows(figures: Figures, many: int) -> list[Row]:
    rows = []
    for kra in ("300 ms", "3 s", "down"):
        for tills, quick, slow in ((1, 4.2, 6.5), (many, None, 15)):
            name = f"accepted, KRA {kra}, {tills} till" + "s" * (tills > 1)
            goal = Bound(quick, at_most=True) if quick else None
            rows.append(Row(f"{name}: p50 ms", figures[f"queue {kra} {tills} p50"], goal))
            goal = Bound(slow, at_most=True)
            rows.append(Row(f"{name}: p99 ms", figures[f"queue {kra} {tills} p99"], goal))
    for kra in ("300 ms", "3 s"):
        for tills in (1, many):
            name = f"signed, KRA {kra}, {tills} till" + "s" * (tills > 1)
            goal = Bound(20, at_most=True)
            rows.append(Row(f"{name}: p50 ms − KRA", figures[f"wait {kra} {tills} p50"], goal))
            rows.append(Row(f"{name}: p99 ms − KRA", figures[f"wait {kra} {tills} p99"], None))
    return [
        *rows,
        Row("wait=5, KRA down, unnoticed: ms − 5 s", figures["closed"], Bound(50, at_most=True)),
        Row(f"wait=5, breaker open, {many} tills: p50 ms", figures["open p50"]),
        Row(
            f"wait=5, breaker open, {many} tills: p99 ms",
            figures["open p99"],
            Bound(50, at_most=True),
        ),
    ]
