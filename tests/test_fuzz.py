"""JSON around the published schemas, at every door that reads any: never a 500, always one shape.

The same examples each run. More of them: FUZZ_EXAMPLES=20000 pytest tests/test_fuzz.py
"""

import os
from functools import cache
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from django.db import transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .doors import DOORS, furnish, knock
from .refusals import error_of

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
LENGTHY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
bounded = settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=LENGTHY
)

# Words that lead further in than any random text.
KNOWN = st.sampled_from(
    ["dvc-a1", "dvc-a3", "SALE-1", "SALE-2", "NEW-1", "A-ONLY", "SEED", "00", "A000000001A", "B",
     "exempt", "cash", "KES", "USD", "refund", "opening", "waste", "fiscal", "sales:write", "1",
     "2026-11-22T10:15:00+03:00", "2026-11-22T10:15:00", "owner"]
)  # fmt: skip
ODD_TEXTS = st.sampled_from(
    ["", " ", "\x00", "\n", "\x7f", "\u2028", "\u202e", "\U0001f600" * 70, "x" * 500, "../..",
     "%00", "'; DROP TABLE", "NaN", "sNaN", "-Infinity", "1e400", "1e999999999999999999", "-0",
     "0.001", "99999999999", "9999999999999.99", "1_0", "٣", "0001-01-01T00:00:00Z",
     "9999-12-31T23:59:59-12:00", "null", "{}"]
)  # fmt: skip
TEXTS = st.one_of(KNOWN, KNOWN, ODD_TEXTS, st.text(max_size=12))
NUMBERS = st.one_of(
    st.integers(-2, 3),
    st.sampled_from([2**31, 2**63, -(2**63), 2**64, 10**30, 0.1, -0.0, 1e300, 1e-300]),
    st.floats(allow_nan=False, allow_infinity=False),
)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)


def around(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Mostly what the schema asks for, now and then something else."""
    fitting = _fitting(schema)
    return st.integers(0, 9).flatmap(lambda dice: JUNK if dice == 0 else fitting)


def _fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "anyOf" in schema:
        return st.one_of([_fitting(one) for one in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", "string")
    return st.one_of(
        [_of_kind(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    )


def _of_kind(kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if kind == "object":
        parts = {name: around(part) for name, part in schema.get("properties", {}).items()}
        needed = {name: parts.pop(name) for name in schema.get("required", []) if name in parts}
        return st.fixed_dictionaries(needed, optional=parts)
    if kind == "array":
        return st.lists(around(schema.get("items", {})), max_size=3)
    examples = [st.just(one) for one in schema.get("examples", [])]
    by_kind = {"integer": NUMBERS, "number": NUMBERS, "boolean": st.booleans(), "null": st.none()}
    return st.one_of(*examples, by_kind.get(kind, TEXTS))


@cache
def bodies() -> dict[str, st.SearchStrategy[Any]]:
    """A strategy for each door that reads a body."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    found = {}
    for name, door in DOORS.items():
        method, path = name.split()
        if door.body:
            content = schema["paths"][path][method.lower()]["requestBody"]["content"]
            published = around(content["application/json"]["schema"])
            found[name] = st.one_of(published, published, mutated(door.body))
    return found


@st.composite
def mutated(draw: Any, body: Any) -> Any:
    """A good body in which a thing or two went wrong."""
    if isinstance(body, dict) and body:
        copy = {name: draw(mutated(value)) for name, value in body.items()}
        if draw(st.integers(0, 5)) == 0:
            copy[draw(TEXTS)] = draw(JUNK)
        return copy
    if isinstance(body, list):
        return [draw(mutated(each)) for each in body] * draw(st.sampled_from([0, 1, 1, 1, 2]))
    return draw(JUNK) if draw(st.integers(0, 7)) == 0 else body


@pytest.fixture
def alpha(open_till):
    return furnish(open_till("A000000001A", "dvc-a1", name="Alphaville Stores"))


def check(response: Any) -> None:
    # 502: the door went on to ask KRA, who cannot be reached here.
    if response.status_code >= 400 and response.status_code != 502:
        error_of(response)


@bounded
@given(data=st.data())
def test_no_body_is_too_odd_to_be_answered(alpha, platform_token, data):
    name = data.draw(st.sampled_from(sorted(bodies())))
    body = data.draw(bodies()[name])
    secret = platform_token if DOORS[name].behind == "operator" else alpha.shop.secret

    with transaction.atomic():
        check(knock(name, alpha.path(name), secret, body))
        transaction.set_rollback(True)


@bounded
@given(
    path=st.sampled_from([name.split()[1] for name, d in DOORS.items() if d.behind == "list"]),
    query=st.dictionaries(
        st.sampled_from(
            ["cursor", "limit", "status", "device", "branch", "kind", "reference", "number",
             "sold_from", "sold_to", "changed_since", "customer_pin", "search", "state", "type",
             "sku", "tax", "code", "min_ms", "outcome", "started_from", "is_active", "format"]
        ),
        st.one_of(TEXTS, st.integers(-5, 2**70).map(str)),
        max_size=4,
    ),
)  # fmt: skip
def test_no_question_is_too_odd_to_be_answered(alpha, path, query):
    with transaction.atomic():
        check(alpha.shop.get(f"{path}?{urlencode(query)}"))
        transaction.set_rollback(True)


@bounded
@given(
    start=st.integers(0, 200),
    junk=st.binary(max_size=6),
    cut=st.integers(0, 40),
)
def test_no_bytes_are_too_odd_to_be_answered(alpha, start, junk, cut):
    """A good sale, damaged on its way."""
    body = msgspec.json.encode(DOORS["POST /api/sales/"].body | {"remark": "a\\b\u2028ü"})
    damaged = body[:start] + junk + body[start + cut :]

    with transaction.atomic():
        headers = alpha.shop.headers()
        check(
            alpha.shop.client.generic(
                "POST", "/api/sales/", damaged, "application/json", headers=headers
            )
        )
        transaction.set_rollback(True)
