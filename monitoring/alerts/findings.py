"""What a rule found."""

from dataclasses import dataclass, field
from datetime import datetime

from monitoring.lanes import LaneState
from monitoring.models import Severity

# Of one rule. What is beyond is not forgotten: it is told when the worst are mended.
MOST = 100


@dataclass(frozen=True, slots=True)
class Finding:
    rule: str
    # With the rule, its identity: the same subject is the same trouble.
    subject: str
    title: str
    since: datetime
    severity: str = Severity.WARNING
    level: int = 0
    company: int | None = None
    device: int | None = None


@dataclass(slots=True)
class Findings:
    """What one look brought. `unknown`: rules of which nothing can be said, so nothing is over."""

    found: list[Finding] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)

    def add(self, rule: str, found: list[Finding]) -> None:
        """The worst first: what is beyond MOST is left out, and then nothing counts as over."""
        if len(found) > MOST:
            self.unknown.add(rule)
        self.found += found[:MOST]


def of_lane(rule: str, lane: LaneState, title: str, since: datetime, **more: object) -> Finding:
    where = f"Company {lane.pin}, device {lane.serial}: "
    return Finding(
        rule,
        f"lane:{lane.lane}",
        (where + title)[:300],
        since,
        company=lane.company,
        device=lane.device,
        **more,  # type: ignore[arg-type]
    )
