import pickle

import pytest

from kra.errors import DeviceRefused, KRAError, OutcomeUnknown, Rejected, Unavailable


@pytest.mark.parametrize("kind", [Unavailable, OutcomeUnknown, Rejected, DeviceRefused])
def test_it_keeps_what_it_knows_across_processes(kind):
    error = kind("910", "words", retry_after=1.5, expected_number=7, http_status=400)

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert isinstance(copy, KRAError)
    assert vars(copy) == vars(error)


def test_it_reads_well():
    assert str(Rejected("910", "Request parameter error")) == "910: Request parameter error"
    assert str(Unavailable("token_refused")) == "token_refused"


def test_it_knows_nothing_by_default():
    error = Unavailable("x")

    assert error.message == ""
    assert (error.retry_after, error.expected_number, error.http_status) == (None, None, None)
