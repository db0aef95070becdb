"""The page for people: who sees what, and what it says, also in a real browser."""

import re
import shutil
import subprocess
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.core.cache import cache
from django.utils import timezone

from companies.models import Member
from devices.models import Device
from monitoring.models import Alert
from monitoring.page import charts
from outbox.models import Breaker, Lane

pytestmark = pytest.mark.django_db
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(autouse=True)
def nothing_kept():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def person(django_user_model):
    def make(name="mary", **fields):
        # Without a password: hashing one takes longer than a test.
        return django_user_model.objects.create(username=name, **fields)

    return make


@pytest.fixture
def look(client):
    def look(user=None, path="/dashboard/", **query):
        if user is not None:
            client.force_login(user)
        cache.clear()
        response = client.get(path, query)
        assert response.status_code == 200, response
        text = response.content.decode()
        Balanced().check(text)
        return text

    return look


class Balanced(HTMLParser):
    VOID = {"meta", "link", "input", "br", "rect", "line", "polyline", "circle"}

    def check(self, text):
        self.stack: list[str] = []
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        assert tag != "style", "Not allowed by a strict content policy."
        assert not {"style", "onclick", "onload"} & {name for name, _ in attrs}
        if tag not in self.VOID - {"rect", "circle"}:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


@pytest.mark.parametrize("path", ["/dashboard/", "/dashboard/fragment/"])
def test_strangers_are_asked_to_sign_in(client, db, path):
    response = client.get(path)

    assert response.status_code == 302
    assert response["Location"] == "/dashboard/login/?next=/dashboard/"


def test_a_member_signs_in_and_lands_on_the_page(client, django_user_model, alpha):
    user = django_user_model.objects.create_user("mary", password="long-enough-4711")
    Member.objects.create(company=alpha.company, user=user, role="owner")
    assert b"Sign in" in client.get("/dashboard/login/?next=/dashboard/").content

    wrong = client.post("/dashboard/login/", {"username": "mary", "password": "no"})
    assert b'role="alert"' in wrong.content
    right = {"username": "mary", "password": "long-enough-4711"}
    response = client.post("/dashboard/login/?next=https://elsewhere.example/", right)

    assert (response.status_code, response["Location"]) == (302, "/dashboard/")
    assert b"alpha-1" in client.get("/dashboard/").content


def test_a_member_sees_his_own_and_the_operator_all(
    look, person, alpha, beta, sell, owe, make_call
):
    now = timezone.now()
    for tenant in (alpha, beta):
        name = tenant.company.name
        sell(tenant, "unknown", reference=f"{name}-SALE")
        owe(tenant.lane, "queued", not_before=now - timedelta(minutes=9))
        fields = dict.fromkeys(("since", "opened_at", "seen_at"), now)
        Alert.objects.create(
            rule="conflict", subject=name, severity="warning", title=f"{name} has trouble",
            company=tenant.company, **fields,
        )  # fmt: skip
    Alert.objects.create(
        rule="disk", subject="d", severity="critical", title="Disk is full", **fields
    )
    mary = person()
    Member.objects.create(company=alpha.company, user=mary, role="auditor")

    text = look(mary)
    assert "alpha-1" in text
    assert "Alpha Traders has trouble" in text
    for word in ("beta-1", "Beta", "B000000002B", "Disk is full"):
        assert word not in text
    for query in ({"q": "beta"}, {"page": "2"}, {"state": "active"}):
        assert "beta-1" not in look(mary, **query)

    everything = look(person("staff", is_staff=True, is_superuser=True))
    assert {w for w in ("alpha-1", "beta-1", "Disk is full") if w in everything} == {
        "alpha-1", "beta-1", "Disk is full",
    }  # fmt: skip


def test_who_is_no_member_sees_nothing(look, person, alpha, sell):
    sell(alpha)
    text = look(person())

    assert "no member of a company" in text
    assert "alpha-1" not in text


def test_a_closed_companys_member_sees_it_no_more(look, person, alpha):
    mary = person()
    Member.objects.create(company=alpha.company, user=mary, role="owner")
    type(alpha.company).objects.update(is_active=False)

    assert "alpha-1" not in look(mary)


def test_staff_see_the_companies_of_their_roles_only(look, person, alpha, beta):
    """Staff is who comes into the admin, a shop's manager for example; not the operator."""
    mary = person(is_staff=True)
    Member.objects.create(company=alpha.company, user=mary, role="manager")
    Member.objects.create(company=beta.company, user=mary, role="cashier")

    text = look(mary)

    assert "alpha-1" in text
    for word in ("beta-1", "Beta Stores", "B000000002B"):
        assert word not in text


@pytest.mark.parametrize("path", ["/dashboard/", "/dashboard/fragment/"])
@pytest.mark.parametrize(
    "fields", [{"is_staff": True}, {"is_superuser": True}, {"is_staff": True, "is_superuser": True}]
)
def test_a_password_alone_does_not_open_it_to_who_needs_two(client, person, settings, path, fields):
    settings.ADMIN_TWO_FACTOR = True
    client.force_login(person(**fields))

    assert client.get(path).status_code == 302


def test_it_says_what_is_wrong(look, person, alpha, owe, make_call):
    now = timezone.now()
    owe(alpha.lane, "conflict", reference="TILL-<b>7</b>", not_before=now - timedelta(hours=3))
    Breaker.objects.create(host="sandbox/direct", is_open=True, opened_at=now)
    for outcome in ("accepted", "accepted", "accepted", "unknown"):
        make_call(alpha, outcome=outcome)

    text = look(person(is_staff=True, is_superuser=True))

    assert "TILL-&lt;b&gt;7" in text
    assert "<b>7" not in text
    assert "does not answer" in text
    assert "75.0 %" in text
    assert '<p class="big bad">3 h</p>' in text


def test_it_is_whole_without_anything(look, person, db):
    text = look(person(is_staff=True, is_superuser=True))

    assert "No device has been registered yet." in text
    assert "nothing has been signed yet" in text


def test_devices_come_in_pages_and_are_found(look, person, alpha, open_device):
    for number in range(30):
        open_device(alpha.company, f"till-{number:02}")
    staff = person(is_staff=True, is_superuser=True)

    assert "Page 1 of 2, 31 devices" in look(staff)
    assert "till-29" in look(staff, page="2")
    assert "Page 2 of 2" in look(staff, page="999")
    assert "Page 1 of 2" in look(staff, page="x\x00")
    assert ", 1 device<" in look(staff, q="till-07")
    assert "31 devices" in look(staff, q="\x00")
    assert "No device fits." in look(staff, q="' OR 1=1 --")


def test_its_cost_does_not_grow(
    client, person, alpha, open_device, owe, django_assert_max_num_queries
):
    for number in range(60):
        lane = Lane.objects.create(
            device=open_device(alpha.company, f"till-{number:02}"), stream="fiscal"
        )
        owe(lane, "unknown", not_before=timezone.now() - timedelta(minutes=9))
    client.force_login(person(is_staff=True, is_superuser=True))

    with django_assert_max_num_queries(24):
        assert client.get("/dashboard/").status_code == 200
    with django_assert_max_num_queries(17):
        client.get("/dashboard/fragment/")
    assert Device.objects.count() == 61


def test_nothing_comes_from_elsewhere(look, person, alpha):
    text = look(person(is_staff=True, is_superuser=True))

    assert not re.search(r"(src|href)=\"(https?:)?//", text)


def test_nobody_keeps_it(client, person):
    client.force_login(person(is_staff=True, is_superuser=True))

    assert client.get("/dashboard/")["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 1), (1, 1), (3, 4), (11, 20), (99, 100), (4321, 5000)]
)
def test_an_axis_ends_at_a_round_number(value, expected):
    assert charts.nice(value) == expected


def test_a_line_has_gaps():
    drawn = charts.lines("t", ["a", "b", "c", "d"], {"p50": [1, 2, None, 4]})

    assert drawn.count("<polyline") == 1
    assert drawn.count("<circle") == 3


# --- A real browser ---


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.django_db(transaction=True)
def test_a_browser_shows_it_and_keeps_it_fresh(live_server, person, client, alpha, sell, tmp_path):
    """The page fetches its inside by itself: what happens later appears without a reload."""
    sell(alpha)
    client.force_login(person(is_staff=True, is_superuser=True))
    cookie = client.cookies["sessionid"].value
    page = client.get("/dashboard/").content.decode()
    script = client.get("/static/monitoring/dashboard.js")
    body = b"".join(script.streaming_content).decode()
    body = body.replace("10000", "300")
    Device.objects.filter(pk=alpha.device.pk).update(serial="CHANGED-LATER")
    cache.clear()
    shown = dump(live_server.url, cookie, page, body, tmp_path)

    assert "CHANGED-LATER" in shown
    assert "Updated " in shown


def dump(url, cookie, page, script, folder):
    """The document after some seconds. The cookie is set by a page that this test serves."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from urllib.request import Request, urlopen

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/dashboard/":
                data = page.encode()
            elif self.path.endswith("dashboard.js"):
                data = script.encode()
            else:
                asked = Request(url + self.path, headers={"Cookie": f"sessionid={cookie}"})
                with urlopen(asked, timeout=20) as answer:
                    data = answer.read()
            self.send_response(200)
            kind = "text/css" if self.path.endswith("css") else "text/html"
            self.send_header(
                "Content-Type", "text/javascript" if self.path.endswith("js") else kind
            )
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            return subprocess.run(
                [
                    CHROMIUM or "", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update",
                    "--disable-sync", f"--user-data-dir={folder}", "--virtual-time-budget=5000",
                    "--dump-dom", f"http://127.0.0.1:{server.server_address[1]}/dashboard/",
                ],
                capture_output=True, text=True, timeout=90, check=True,
            ).stdout  # fmt: skip
        finally:
            server.shutdown()
            thread.join()
