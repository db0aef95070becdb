"""Whatever a field holds, the answer is a verdict, never an accident of the simulator."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.tests.client import ENDPOINTS, credit, item, line, movement, purchase, sale

KETTLE = "KE2CTNO0000001"
MESSAGES = {
    "sales_save": lambda: credit(2, 1, [line(KETTLE, 1, 100)]),
    "stock_io_save": lambda: movement(2, [line(KETTLE, 1, 100)]),
    "purchase_save": lambda: purchase(1, [line(KETTLE, 5, 1160)]),
    "item_save": lambda: item(KETTLE),
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=5),
    st.integers(-(10**40), 10**40),
    st.sampled_from([1e308, 1e-300, -0.5, 0.005, "", [], {}, [None], {"a": []}, "20261332"]),
)


@pytest.fixture
def stocked(request):
    made = request.getfixturevalue(request.param)
    made.stocked()
    made.post("sales_save", sale(1, [line(KETTLE, 1, 100)]))
    return made


@pytest.mark.parametrize("stocked", ["gateway", "lenient"], indirect=True)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_it_judges_odd_fields(stocked, data):
    name = data.draw(st.sampled_from(sorted(MESSAGES)))
    message = json.loads(json.dumps(MESSAGES[name](), default=float))
    part = data.draw(st.sampled_from([message, *message.get("itemList", [])]))
    field = data.draw(st.sampled_from([*part, "receipt", "itemList", "tin", "custBhfId"]))
    part[field] = copy.deepcopy(data.draw(ODD))

    answer = stocked.post(name, message)

    assert answer.code in ("000", "refused", "901", "910", "913", "994", "999"), answer.text


@pytest.mark.parametrize("stocked", ["gateway"], indirect=True)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(name=st.sampled_from(sorted(ENDPOINTS)), body=st.dictionaries(st.text(max_size=3), ODD))
def test_it_judges_odd_bodies(stocked, name, body):
    assert stocked.post(name, body).status in (200, 400)
