"""How much is measured: in full, by half, and in little to try the benchmark itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    rounds: int = 3
    warm_s: float = 4.0
    accept_s: float = 6.0
    accept_devices: int = 200
    wait_s: float = 4.0
    wait_tills: int = 8
    # Lanes, and messages in each of them.
    drains: tuple[tuple[int, int], ...] = ((1, 100), (50, 200), (500, 20))
    small_lanes: int = 499
    small_each: int = 5
    long_backlog: int = 1000
    read_s: float = 2.0
    read_small: int = 10_000
    read_large: int = 200_000

    @property
    def devices(self) -> int:
        most = max(lanes for lanes, _ in self.drains)
        return max(self.accept_devices, self.wait_tills, most, self.small_lanes + 2)


FULL = Sizes()
HALF = Sizes(
    wait_s=3.0,
    drains=((1, 60), (50, 100), (500, 12)),
    long_backlog=500,
    read_s=1.5,
)
QUICK = Sizes(
    rounds=1,
    warm_s=0.5,
    accept_s=1.0,
    accept_devices=25,
    wait_s=1.5,
    drains=((1, 10), (25, 10), (50, 8)),
    small_lanes=49,
    small_each=3,
    long_backlog=100,
    read_s=0.7,
    read_small=1_000,
    read_large=5_000,
)
