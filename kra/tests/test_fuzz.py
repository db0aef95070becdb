"""Whatever bytes come, there is a Reply or one of the four errors."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from kra import masking
from kra.answers import read, read_invoice, read_items
from kra.client import Answer
from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Rejected, Unavailable
from kra.profiles import ENDPOINTS

# fmt: off
NAMES = st.sampled_from((
    "resultCd", "resultMsg", "data", "responseBody", "responseHeader", "responseCode", "header",
    "customerMessage", "fault", "faultstring", "info", "cmcKey", "salesList", "itemList",
    "receipt", "invcNo", "rcptTyCd", "totAmt", "rcptSign",
))
# fmt: on
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["000", "001", "999", "20261005101500", "S", "access token expired"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
BODIES = st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode())
INSTRUCTIONS = (Unavailable, OutcomeUnknown, Rejected, DeviceRefused)


@settings(deadline=None, max_examples=150, database=None)
@given(st.sampled_from(sorted(ENDPOINTS)), st.sampled_from([200, 400, 401, 403, 500, 799]), BODIES)
def test_it_always_says_what_to_do_next(endpoint_id, status, body):
    error = None
    try:
        reply = read(endpoint_id, Answer(status, body, 1))
        read_items(reply.data)
        read_invoice(reply.data)
    except KRAError as exc:
        error = exc

    assert error is None or (isinstance(error, INSTRUCTIONS) and error.code and error.message)


@settings(deadline=None, max_examples=100, database=None)
@given(st.sampled_from(["init", "branch_user_save", "item_save"]), BODIES)
def test_it_masks_whatever_comes(endpoint_id, body):
    masking.safe_answer(endpoint_id, body).encode()
    masking.safe_request(endpoint_id, body).encode()
