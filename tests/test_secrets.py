"""Real processes, many failures; then everything that was written is searched for the secrets used.

Logs of web, worker and watchdog; the stored calls, events and alerts; what receivers were told;
what the admin and the API show.
"""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import urllib3
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from companies.models import ApiToken
from monitoring.tests.receiver import Receiver
from sales.models import Receipt

from .simulator import free_port
from .test_crash import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PASSWORDS = ["right-horse-battery-1", "wrong-horse-battery-2", "till-user-battery-3"]
GATEWAY = {"consumer_key": "CKEY-4711-abcdef", "consumer_secret": "CSECRET-4711-abcdef"}
BUYER = {"name": "Wanjiku Secretive", "phone": "0722123987", "email": "wanjiku@secretive.test"}
ALERT_PATH = "/services/T0/B0/alert-hook-secret"
FAULTS = {
    "refuse": 0.1, "lost_after": 0.15, "reset": 0.1, "unauthorized": 0.1, "empty_body": 0.1,
    "html": {"p": 0.1, "status": 502}, "result_code": {"p": 0.1, "code": "999"},
}  # fmt: skip
http = urllib3.PoolManager(timeout=20.0, retries=False)


@contextmanager
def running(folder, environment, **commands):
    """Our own processes, each writing into a file."""
    started = []
    try:
        for name, command in commands.items():
            with (folder / f"{name}.log").open("wb") as file:
                process = subprocess.Popen(
                    [sys.executable, "-m", *command], env=environment, stdout=file, stderr=file
                )
            started.append(process)
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


class Web:
    def __init__(self, port, secret):
        self.url, self.secret = f"http://127.0.0.1:{port}", secret

    def ask(self, method, path, body=None, *, secret=None, **headers):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        all_headers = {
            "Authorization": f"Token {secret or self.secret}",
            "Content-Type": "application/json",
        } | headers
        return http.request(method, self.url + path, body=text, headers=all_headers)

    def wait(self):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if self.ask("GET", "/health/live/").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.2)
        raise AssertionError("The web process does not answer.")


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.stop()


def misbehave(web, shop, operator):
    """All that goes wrong in a day, with secrets in the wrong places."""
    device = shop.device.serial
    web.ask("POST", "/api/sales/", b'{"token": "%s", ' % web.secret.encode())
    web.ask("POST", "/api/sales/", {"device": device, "token": web.secret, "cmcKey": "x"})
    web.ask("GET", "/api/devices/", secret="etims_" + "w" * 43)
    web.ask("GET", f"/api/devices/?token={web.secret}&cmcKey={shop.device.key}")
    web.ask("GET", f"/api/nothing/{web.secret}/")
    gateway = {"pin": "A999999999Z", "name": "Gateway", "environment": "simulator",
               "profile": "gavaconnect", "gateway": GATEWAY | {"app_id": "a"},
               "head_office": {"code": "00", "name": "Head"}}  # fmt: skip
    assert web.ask("POST", "/api/company/onboard/", gateway, secret=operator).status == 201
    web.ask("POST", "/api/company/onboard/", gateway, secret=operator)
    user = {"device": device, "user_id": "u1", "name": "Till", "password": PASSWORDS[2]}
    assert web.ask("POST", "/api/branch-users/", user).status == 201
    member = {"username": "asha", "role": "auditor", "password": PASSWORDS[0]}
    assert web.ask("POST", "/api/members/", member).status == 201
    key = {"branch": "00", "key": shop.device.key, "scu_id": "KRACU9"}
    web.ask("POST", "/api/device/other/import-key/", key)
    for password in PASSWORDS[1::-1]:
        sign_in(web, password)


def sign_in(web, password):
    page = http.request("GET", f"{web.url}/dashboard/login/")
    token = re.search(rb'csrfmiddlewaretoken" value="([^"]+)"', page.data)[1].decode()
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    fields = {"username": "asha", "password": password, "csrfmiddlewaretoken": token}
    http.request_encode_body(
        "POST", f"{web.url}/dashboard/login/", fields=fields, encode_multipart=False,
        redirect=False, headers={"Cookie": cookie, "Referer": f"{web.url}/dashboard/login/"},
    )  # fmt: skip


def sell(web, shop, until):
    number = 0
    while number < 25 and time.monotonic() < until:
        number += 1
        sale = shop.sale(f"S-{number}", customer=BUYER) | {"reference": f"S-{number}"}
        answer = web.ask("POST", "/api/sales/", sale, Prefer="wait=0")
        assert answer.status in (200, 201, 202, 409, 422), answer.data


def watch(environment):
    return subprocess.run(
        [sys.executable, "manage.py", "watchdog", "--once"],
        env=environment, capture_output=True, timeout=30, check=False,
    )  # fmt: skip


def shown_by_the_admin():
    operator = get_user_model().objects.create_superuser("root", password=None)
    client = Client(raise_request_exception=False)
    client.force_login(operator)
    pages = {}
    for model in admin.site._registry:
        at = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        pages[at] = client.get(at).content.decode()
        for row in model._default_manager.order_by("-pk")[:3]:
            pages[f"{at}{row.pk}"] = client.get(f"{at}{row.pk}/change/").content.decode()
    return pages


def rows_of_all_tables():
    """Every row as text; what is encrypted or hashed may stand there as such."""
    texts = {}
    with connection.cursor() as cursor:
        for model in apps.get_models():
            table = model._meta.db_table
            cursor.execute(f'SELECT string_agg(t::text, chr(10)) FROM "{table}" t')
            texts[table] = cursor.fetchone()[0] or ""
    return texts


def environment_of(shop, receiver, port, folder):
    alerts = {
        "ALERT_WEBHOOK_URL": f"http://127.0.0.1:{receiver.port}{ALERT_PATH}",
        "ALERT_SLACK_URL": f"http://127.0.0.1:1{ALERT_PATH}",
        "ALERT_ERROR_CALLS": "1",
        "ALERT_ERROR_PERCENT": "1",
        "METRICS_TOKEN": "metrics-4711-hush",
        "WATCHDOG_STATE": str(folder / "w"),
    }
    hooks = {
        "WEBHOOK_ALLOW_HTTP": "true",
        "WEBHOOK_PORTS": str(receiver.port),
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    kra = {
        "KRA_SIMULATOR_URL": shop.simulator.url,
        "KRA_READ_TIMEOUT": "1",
        "OUTBOX_BACKOFF_BASE": "0.05",
    }
    web = {"ALLOWED_HOSTS": "127.0.0.1", "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    log = {"DATABASE_URL": database_url(), "LOG_LEVEL": "DEBUG"}
    return os.environ | alerts | hooks | kra | web | log


def commands_of(port, folder):
    at = ["-b", f"127.0.0.1:{port}", "--threads", "4", "-c", "deploy/gunicorn.conf.py"]
    celery = ["celery", "-A", "etims_integration"]
    threads = ["-P", "threads", "-c", "2", "--without-mingle", "--without-gossip"]
    schedule = ["--pidfile=", "--schedule", str(folder / "schedule")]
    return {
        "web": ["gunicorn", "etims_integration.wsgi", *at],
        "worker": [*celery, "worker", "-l", "DEBUG", *threads],
        "beat": [*celery, "beat", "-l", "DEBUG", *schedule],
    }


def listen(web, receiver):
    """A webhook of the shop; returns its secrets, the old and the new."""
    wish = {"url": receiver.url, "events": ["sale.signed"]}
    hook = json.loads(web.ask("POST", "/api/webhooks/", wish).data)
    turned = web.ask("POST", f"/api/webhooks/{hook['id']}/rotate-secret/", {})
    return hook["id"], [hook["secret"], json.loads(turned.data)["secret"]]


def answers_of(web, hook):
    paths = ("logs", "alerts", "webhooks", "members", "tokens", "events", "devices")
    found = {path: web.ask("GET", f"/api/{path}/").data.decode() for path in paths}
    log = web.ask("GET", f"/api/webhooks/{hook}/deliveries/")
    return found | {"deliveries": log.data.decode()}


def busy_day(web, shop, operator, environment, receiver):
    """Faults at KRA, wrong requests, sales; then people look."""
    hook, secrets = listen(web, receiver)
    shop.simulator.call("POST", "chaos", {"seed": 4711, "probabilities": FAULTS})
    misbehave(web, shop, operator)
    sell(web, shop, time.monotonic() + 15)
    watched = watch(environment)
    shop.simulator.call("DELETE", "chaos")
    until = time.monotonic() + 15
    while time.monotonic() < until and not (Receipt.objects.exists() and receiver.requests):
        time.sleep(0.2)
    return answers_of(web, hook), secrets, (watched.stdout + watched.stderr).decode()


def secrets_of(shop, operator, hooks):
    shop.device.refresh_from_db()
    found = {
        "token": shop.secret,
        "operator's": operator,
        "cmcKey": shop.device.key,
        "settings": settings.SECRET_KEY,
        "encryption": settings.ENCRYPTION_KEYS[0],
        "metrics": "metrics-4711-hush",
        "alert hook": "alert-hook-secret",
    }
    numbered = dict(enumerate([*hooks, *PASSWORDS]))
    found |= {str(number): secret for number, secret in numbered.items()} | GATEWAY
    assert all(len(secret) > 8 for secret in found.values())
    return found


def places_of(secrets, texts):
    return [
        (name, place)
        for place, text in texts.items()
        for name, secret in secrets.items()
        if secret in text
    ]


def test_no_secret_is_written_down_anywhere(shop, receiver, tmp_path):
    operator = ApiToken.issue(name="op", scopes=["platform:admin"])[1]
    port = free_port()
    environment = environment_of(shop, receiver, port, tmp_path)
    web = Web(port, shop.secret)
    with running(tmp_path, environment, **commands_of(port, tmp_path)):
        web.wait()
        answers, hooks, watched = busy_day(web, shop, operator, environment, receiver)

    logs = {file.name: file.read_text(errors="replace") for file in tmp_path.glob("*.log")}
    logs["watchdog"] = watched
    # It did go wrong, it was logged, and people were told.
    assert sum(text.count("kra call") for text in logs.values()) >= 5
    assert any("unknown" in text for text in logs.values())
    assert Receipt.objects.exists()
    assert receiver.requests
    told = {"told": "".join(f"{headers} {body!r}" for headers, body in receiver.requests)}
    secrets = secrets_of(shop, operator, hooks)
    for texts in (logs, told, answers, rows_of_all_tables(), shown_by_the_admin()):
        found = places_of(secrets, texts)
        assert not found, found
    assert places_of(BUYER, logs) == []
