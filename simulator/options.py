"""How one simulator behaves, from its command line."""

from dataclasses import dataclass


@dataclass(slots=True)
class Options:
    mode: str = "strict"
    approve_any: bool = False
    latency_ms: int = 0
    seed: int | None = None
    token_seconds: int = 3599
    consumer: str | None = None  # "key:secret"; None takes any non-empty pair
    app_id: str | None = None  # None takes any non-empty apigee_app_id
    repeat_init_corrupts: bool = False
