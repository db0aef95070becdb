"""JSON in and out. Amounts are Decimal from the first byte; floats never exist."""

from decimal import Decimal
from typing import Any

import msgspec

_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")

BadJSON = msgspec.DecodeError


def decode(raw: bytes) -> Any:
    return _decoder.decode(raw)


def encode(value: Any) -> bytes:
    return _encoder.encode(value)
