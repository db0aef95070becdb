"""Lists: newest first, in pages that stay put while rows are added."""

from base64 import b64encode

import pytest
from django.contrib.auth.models import Group

pytestmark = [pytest.mark.urls("core.tests.urls"), pytest.mark.django_db]


@pytest.fixture
def add():
    def build(*names):
        for name in names:
            Group.objects.create(name=name)

    return build


def names_in(response):
    return [row["name"] for row in response.json()["results"]]


def test_it_shows_the_newest_first(client, add):
    add("a", "b", "c")

    response = client.get("/rows/")

    assert set(response.json()) == {"next", "previous", "results"}
    assert names_in(response) == ["c", "b", "a"]
    assert response.json()["next"] is None


def test_no_row_is_seen_twice_when_others_are_added_meanwhile(client, add):
    add("a", "b", "c")
    first = client.get("/rows/?limit=2")
    add("d")

    second = client.get(first.json()["next"])

    assert names_in(first) == ["c", "b"]
    assert names_in(second) == ["a"]


@pytest.mark.parametrize(
    ("_case", "query", "length"),
    [
        ("default", "", 50),
        ("asked for", "?limit=3", 3),
        ("too many", "?limit=1000", 200),
        ("nonsense", "?limit=x", 50),
    ],
)
def test_it_bounds_a_page(client, add, _case, query, length):
    add(*(str(n) for n in range(210)))

    assert len(names_in(client.get(f"/rows/{query}"))) == length


def cursor(position):
    return b64encode(f"p={position}".encode()).decode()


@pytest.mark.parametrize(
    "text", ["nonsense", cursor("x"), cursor("1;DROP"), cursor("9" * 20), cursor("-1")]
)
def test_it_refuses_a_cursor_that_is_not_its_own(client, text):
    response = client.get(f"/rows/?cursor={text}")

    assert response.status_code == 404
    assert response.json()["error"]["message"] == "Invalid cursor"


def test_a_list_must_say_what_its_rows_look_like(client, add):
    add("a")

    with pytest.raises(NotImplementedError):
        client.get("/wordless/")
