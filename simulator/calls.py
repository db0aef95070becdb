"""One call of the API as the rules see it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulator import clock
from simulator.options import Options
from simulator.protocol import Endpoint
from simulator.state import Device, Document, Taxpayer, World


@dataclass(slots=True)
class Call:
    world: World
    options: Options
    endpoint: Endpoint
    gateway: bool
    body: dict[str, Any]
    pin: str
    branch: str
    moment: datetime
    known: Device | None = None

    @property
    def device(self) -> Device:
        assert self.known is not None  # every endpoint but init has passed the device check
        return self.known

    @property
    def strict(self) -> bool:
        mode = self.known.mode if self.known is not None else self.options.mode
        return mode == "strict"

    @property
    def owner(self) -> Taxpayer:
        return self.world.taxpayer(self.pin)

    @property
    def stamp(self) -> str:
        return clock.stamp(self.moment)

    @property
    def since(self) -> str:
        """The watermark; what changed in that very second is listed again."""
        watermark: str = self.body["lastReqDt"]
        return watermark

    def content(self) -> Document:
        """The message without its identity: the key is never stored with it."""
        return {name: value for name, value in self.body.items() if name != "cmcKey"}

    def record(self, kind: str, key: str, document: Document) -> None:
        self.world.record(kind, self.pin, self.branch, key, document)
