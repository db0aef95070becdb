"""What protects people's pages: the second factor, the lock after wrong passwords, the headers."""

import re
from io import StringIO

import pytest
from django.contrib.auth.hashers import identify_hasher
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from companies.models import ApiToken
from core.middleware import client_address
from monitoring.models import AuditEvent

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
LOGIN, SETUP = "/admin/account/login/", "/admin/account/two_factor/setup/"


@pytest.fixture
def root(django_user_model):
    return django_user_model.objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def strict(settings):
    settings.ADMIN_TWO_FACTOR = True
    return settings


def step(client, page, prefix, name, **values):
    """Send one step of a form that has several."""
    form = {f"{prefix}-current_step": name} | {f"{name}-{key}": v for key, v in values.items()}
    return client.post(page, form)


def sign_in(client, password=PASSWORD, username="root", **extra):
    form = {"login_view-current_step": "auth", "auth-username": username}
    return client.post(f"{LOGIN}?next=/admin/", form | {"auth-password": password}, **extra)


def code_of(device):
    return f"{totp(device.bin_key, device.step, device.t0, device.digits, device.drift):06d}"


def enrol(client):
    """Through the pages, as a person with a telephone does."""
    step(client, SETUP, "setup_view", "welcome")
    page = client.get(SETUP)
    if "generator" not in page.content.decode():
        page = step(client, SETUP, "setup_view", "welcome")
    key = re.search(r"secret=([A-Z2-7]+)", page.content.decode())[1]
    return page, key


# --- The second factor ---


def test_without_a_second_factor_there_is_only_the_enrolment(strict, root):
    client = Client()
    assert client.get("/admin/").status_code == 302

    answer = sign_in(client)
    after = client.get(answer["Location"], follow=True)

    assert after.redirect_chain[-1][0] == SETUP
    for page in ("/admin/", "/admin/sales/invoice/", "/admin/auth/user/"):
        assert client.get(page).status_code == 302


def test_a_person_enrols_and_comes_in_with_the_code(strict, root):
    client = Client()
    sign_in(client)
    page, secret = enrol(client)
    assert "<img" in page.content.decode()
    qr = client.get("/admin/account/two_factor/qrcode/")
    assert (qr.status_code, qr["Content-Type"]) == (200, "image/svg+xml; charset=utf-8")

    import base64

    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    done = step(client, SETUP, "setup_view", "generator", token=f"{totp(key):06d}")

    assert done.status_code == 302
    assert TOTPDevice.objects.get(user=root).confirmed
    assert client.get("/admin/").status_code == 200


def test_a_password_alone_opens_nothing_afterwards(strict, root):
    device = TOTPDevice.objects.create(user=root, name="default")
    client = Client()

    page = sign_in(client)

    assert page.status_code == 200
    assert client.get("/admin/").status_code == 302
    wrong = step(client, LOGIN, "login_view", "token", otp_token="000000")
    assert wrong.status_code == 200
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    right = step(client, LOGIN, "login_view", "token", otp_token=code_of(device))
    assert right.status_code == 302
    assert client.get("/admin/").status_code == 200


def test_a_code_is_not_guessed_at_leisure(strict, root):
    device = TOTPDevice.objects.create(user=root, name="default")
    client = Client()
    sign_in(client)
    for _ in range(3):
        step(client, LOGIN, "login_view", "token", otp_token="000000")

    step(client, LOGIN, "login_view", "token", otp_token=code_of(device))

    assert client.get("/admin/").status_code == 302


def test_a_backup_code_opens_once(strict, root):
    TOTPDevice.objects.create(user=root, name="default")
    StaticDevice.objects.create(user=root, name="backup").token_set.create(token="abcd1234")
    opened = []
    for _ in range(2):
        client = Client()
        sign_in(client)
        client.post(LOGIN, {"login_view-current_step": "token", "wizard_goto_step": "backup"})
        step(client, LOGIN, "login_view", "backup", otp_token="abcd1234")
        opened.append(client.get("/admin/").status_code)

    assert opened == [200, 302]


def test_the_demo_asks_for_a_password_only(root):
    client = Client()

    sign_in(client)

    assert client.get("/admin/").status_code == 200


def test_another_superuser_lets_in_who_lost_the_telephone(strict, root, django_user_model):
    TOTPDevice.objects.create(user=root, name="default")
    Client().force_login(root)
    order = ["reset_second_factor", "root", "--reason", "seen in person"]
    django_user_model.objects.create_user("clerk", is_staff=True)

    call_command(*order, "--by", "root", stdout=StringIO())
    django_user_model.objects.create_superuser("second", password=PASSWORD)
    TOTPDevice.objects.create(user=root, name="default")
    for by in ("root", "clerk", "unknown"):
        with pytest.raises(CommandError):
            call_command(*order, "--by", by, stdout=StringIO())
    assert TOTPDevice.objects.count() == 1
    call_command(*order, "--by", "second", stdout=StringIO())

    assert not TOTPDevice.objects.exists()
    assert not Session.objects.exists()
    event = AuditEvent.objects.order_by("pk").last()
    assert (event.act, event.actor, event.reason) == (
        "reset_second_factor", "second at the console", "seen in person"
    )  # fmt: skip


# --- Passwords ---


def test_passwords_are_hashed_memory_hard_and_long(root):
    assert identify_hasher(root.password).algorithm == "scrypt"
    for weak in ("short1!", "123456789012"):
        with pytest.raises(ValidationError):
            validate_password(weak, user=root)


def test_five_wrong_passwords_lock_one_name_at_one_address(root, django_user_model):
    django_user_model.objects.create_superuser("other", password=PASSWORD)
    for _ in range(5):
        last = sign_in(Client(), "wrong")

    assert last.status_code == 429
    assert "Too many wrong passwords" in last.content.decode()
    assert sign_in(Client()).status_code == 429
    assert sign_in(Client(), username="other").status_code == 302
    assert sign_in(Client(), REMOTE_ADDR="192.0.2.7").status_code == 302


def test_nobody_chooses_the_address_that_is_counted(root, settings):
    """No proxy is ours: what X-Forwarded-For says does not matter."""
    for number in range(5):
        sign_in(Client(), "wrong", headers={"X-Forwarded-For": f"192.0.2.{number}"})

    assert sign_in(Client(), headers={"X-Forwarded-For": "198.51.100.1"}).status_code == 429


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "192.0.2.1", "10.0.0.1"),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "6.6.6.6, 192.0.2.1", "192.0.2.1"),
        (2, "6.6.6.6, 192.0.2.1, 10.0.0.9", "192.0.2.1"),
        (2, "192.0.2.1", "192.0.2.1"),
        (1, "", "10.0.0.1"),
    ],
)
def test_it_counts_who_the_api_would_count(rf, settings, proxies, forwarded, expected):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": proxies}
    request = rf.get("/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": forwarded})

    assert client_address(request) == expected


def test_a_session_is_new_after_signing_in_and_hidden_from_scripts(root, settings):
    client = Client()
    client.get(LOGIN)
    before = client.cookies.get("sessionid")

    answer = sign_in(client)

    cookie = answer.cookies["sessionid"]
    assert before is None or before.value != cookie.value
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["max-age"]) == ("Lax", 8 * 3600)


# --- Headers ---

COMMON = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), "
    "interest-cohort=()",
}
API = ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"]


def policy_of(response):
    parts = response["Content-Security-Policy"].split(";")
    return {name: values for name, *values in (part.split() for part in parts)}


@pytest.mark.parametrize(
    "path",
    ["/api/devices/", "/api/schema/", "/api/nothing/", "/health/", "/admin/", LOGIN, "/api/docs/",
     "/admin/sales/invoice/", "/r/nothing/", "/nothing/"],
)  # fmt: skip
def test_every_surface_has_the_headers(root, path):
    client = Client()
    client.force_login(root)

    response = client.get(path)

    assert {name: response[name] for name in COMMON} == COMMON
    assert response["Referrer-Policy"] in ("same-origin", "no-referrer")
    policy = policy_of(response)
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["default-src"] == ["'none'"]
    assert "'unsafe-inline'" not in policy.get("script-src", [])


def test_json_may_do_nothing_in_a_browser(root):
    secret = ApiToken.issue(name="operator", scopes=["platform:admin"])[1]

    response = Client().get("/api/devices/", headers={"Authorization": f"Token {secret}"})

    assert response["Content-Security-Policy"] == "; ".join(API)


def test_eval_is_let_in_for_the_theme_only(root):
    client = Client()
    client.force_login(root)

    scripts = {path: policy_of(client.get(path))["script-src"]
               for path in ("/admin/", LOGIN, "/api/docs/", "/nothing/")}  # fmt: skip

    assert scripts == {
        "/admin/": ["'self'", "'unsafe-eval'"],
        LOGIN: ["'none'"],
        "/api/docs/": ["'self'"],
        "/nothing/": ["'self'"],
    }


def test_no_page_of_people_has_scripts_in_it(root):
    """Nothing that the policy would have to stop."""
    client = Client()
    client.force_login(root)

    for path in ("/admin/", "/admin/sales/invoice/", "/admin/auth/user/add/", LOGIN, "/api/docs/"):
        text = client.get(path).content.decode()
        inline = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*json)[^>]*>", text)
        assert inline == [], path
        assert re.findall(r"\son(?:click|load|error|submit|change)=", text) == [], path
        assert re.findall(r"(?:src|href)=\"(?:https?:)?//", text) == [], path
