from core.errors import Conflict


class LaneBusy(Conflict):
    code = "lane_busy"
    help = "Wait a minute and try again; GET /api/dashboard/ shows the lane."


class CounterNotProven(Conflict):
    code = "counter_not_proven"
    help = (
        "Give the last number that KRA accepted: KRA must know it, and must not know the next one. "
        "GET /api/logs/ shows what KRA answered."
    )


class NotRetryable(Conflict):
    code = "not_retryable"


class NotCancellable(Conflict):
    code = "not_cancellable"
    help = "It may have reached KRA. Wait until it is signed, then issue a credit note."
