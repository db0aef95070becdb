"""The addresses of devices: who may, what is shown, and what never is."""

import pytest

from companies.models import ApiToken, Branch
from devices.models import Device
from devices.services import generate_keys
from kra.errors import Unavailable

from .conftest import KEY
from .fake_kra import said

pytestmark = pytest.mark.django_db
REASON = {"reason": "stolen till"}
IMPORT = {"branch": "00", "key": "IMPORTED-KEY-1", "scu_id": "KRACU0100000009"}


def opened(company):
    info = {"tin": company.pin, "bhfId": "00", "sdcId": "KRACU0100000001", "cmcKey": KEY}
    return said("000", data={"info": info})


def test_a_device_is_initialised_once(api, alpha, kra):
    kra.script(opened(alpha))
    client, body = api(alpha), {"serial": "dvc1", "branch": "00"}

    first = client.post("/api/device/init/", body, format="json")
    again = client.post("/api/device/init/", body, format="json")

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert first.json()["has_key"] is True
    assert first.json()["scu_id"] == "KRACU0100000001"
    assert kra.asked == ["init"]


def test_no_answer_shows_a_secret(api, alpha, kra):
    kra.script(opened(alpha), said("000", data={}))
    client = api(alpha)
    calls = [
        ("POST", "/api/device/init/", {"serial": "dvc1", "branch": "00"}),
        ("POST", "/api/device/dvc1/generate-keys/", None),
        ("GET", "/api/devices/", None),
        ("POST", "/api/device/test-connection/", {"serial": "dvc1"}),
        ("POST", "/api/device/dvc1/suspend/", REASON),
        ("POST", "/api/device/dvc1/import-key/", IMPORT | {"key": KEY}),
    ]

    texts = []
    for method, path, body in calls:
        response = getattr(client, method.lower())(path, body, format="json")
        assert response.status_code < 300, (path, response.content)
        texts.append(response.content.decode())

    private = Device.objects.get().signing_keys.get().private_key
    assert not [text for text in texts if KEY in text or private in text]


def test_it_tells_which_key_signs(api, alpha, device):
    generate_keys(device)

    made = api(alpha).post("/api/device/dvc1/generate-keys/").json()
    shown = api(alpha).get("/api/devices/").json()["results"][0]

    assert (made["version"], made["algorithm"]) == (2, "Ed25519")
    assert set(made) == {"version", "algorithm", "public_key", "fingerprint", "created_at"}
    assert shown["signing_key"] == made["fingerprint"]


def test_a_device_without_a_key_pair_shows_none(api, alpha, device):
    assert api(alpha).get("/api/devices/").json()["results"][0]["signing_key"] is None


def test_it_is_suspended_and_resumed_with_a_reason(api, alpha, device):
    client = api(alpha)

    states = [
        client.post(f"/api/device/dvc1/{verb}/", REASON, format="json").json()["state"]
        for verb in ("suspend", "resume")
    ]

    assert states == ["suspended", "active"]
    assert client.post("/api/device/dvc1/resume/", REASON, format="json").status_code == 409
    assert client.post("/api/device/dvc1/suspend/", {}, format="json").status_code == 400


@pytest.mark.parametrize(
    ("_case", "reply", "verdict"),
    [("fine", said("000", data={}, at=None), "ok"), ("down", Unavailable("dns_failed"), "failed")],
)
def test_a_connection_test_names_the_worst_verdict(api, alpha, device, kra, _case, reply, verdict):
    kra.script(reply)

    response = api(alpha).post("/api/device/test-connection/", {"serial": "dvc1"}, format="json")

    assert response.status_code == 200
    assert (response.json()["serial"], response.json()["verdict"]) == ("dvc1", verdict)


def test_a_serial_may_hold_slashes(api, alpha):
    serial = "ODOO/P051234567X/0"
    client = api(alpha)

    imported = client.post(f"/api/device/{serial}/import-key/", IMPORT, format="json")
    stopped = client.post(f"/api/device/{serial}/suspend/", {"reason": "moved"}, format="json")

    assert (imported.status_code, imported.json()["serial"]) == (200, serial)
    assert (stopped.status_code, stopped.json()["state"]) == (200, "suspended")


BAD_KEYS = ["short", "has a space inside", "новый-ключ-1", "line\nbreak-1"]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_it_refuses_a_key_that_no_header_can_carry(api, alpha, key):
    body = IMPORT | {"key": key}

    response = api(alpha).post("/api/device/dvc1/import-key/", body, format="json")

    assert response.status_code == 400
    assert not Device.objects.exists()


@pytest.mark.parametrize(
    ("_case", "body"),
    [
        ("unknown branch", {"serial": "dvc1", "branch": "77"}),
        ("serial with a blank", {"serial": "dvc 1", "branch": "00"}),
        ("serial with a new line", {"serial": "dvc1\n", "branch": "00"}),
    ],
)
def test_it_refuses_a_device_that_kra_cannot_know(api, alpha, kra, _case, body):
    response = api(alpha).post("/api/device/init/", body, format="json")

    assert response.status_code in (400, 404)
    assert kra.sent == []
    assert not Device.objects.exists()


OTHERS = [
    ("generate-keys", {}),
    ("suspend", REASON),
    ("resume", REASON),
]


@pytest.mark.parametrize(("verb", "body"), OTHERS)
def test_beta_cannot_touch_alphas_device(api, beta, device, verb, body):
    response = api(beta).post(f"/api/device/dvc1/{verb}/", body, format="json")

    assert response.status_code == 404
    after = Device.objects.get()
    assert (after.state, after.signing_keys.count()) == ("active", 0)


def test_beta_cannot_test_or_see_alphas_device(api, beta, device, kra):
    client = api(beta)

    response = client.post("/api/device/test-connection/", {"serial": "dvc1"}, format="json")

    assert response.status_code == 404
    assert client.get("/api/devices/").json()["results"] == []
    assert kra.sent == []


def test_an_import_lands_in_the_tokens_own_company(api, alpha, beta, device):
    body = IMPORT | {"company": alpha.pin}

    response = api(beta).post("/api/device/dvc1/import-key/", body, format="json")

    assert response.status_code == 200
    assert Device.objects.get(company=alpha).key == KEY
    assert Device.objects.get(company=beta).key == "IMPORTED-KEY-1"


@pytest.mark.parametrize("path", ["/api/device/a%00b/generate-keys/", "/api/device/%00/suspend/"])
def test_an_odd_address_is_not_found(api, alpha, path):
    assert api(alpha).post(path, REASON, format="json").status_code == 404


def test_a_key_is_not_imported_under_an_odd_serial(api, alpha):
    response = api(alpha).post("/api/device/dvc%201/import-key/", IMPORT, format="json")

    assert response.status_code == 404
    assert not Device.objects.exists()


def test_the_operator_is_asked_which_of_two_devices_it_means(api, device, beta, add_device):
    other = add_device(beta, "dvc1")

    response = api().post("/api/device/dvc1/suspend/", REASON, format="json")

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "ambiguous_serial"
    assert not Device.objects.exclude(state="active").exists()
    assert api(beta).post("/api/device/dvc1/suspend/", REASON, format="json").status_code == 200
    other.refresh_from_db()
    assert other.state == "suspended"


# A token that is bound to one device speaks for no other.


@pytest.fixture
def other(alpha, add_device):
    return add_device(alpha, "dvc2")


@pytest.fixture
def bound(api, alpha, device, other):
    return api(alpha, device=device)


def test_a_bound_token_sees_its_device_alone(bound, alpha):
    assert [row["serial"] for row in bound.get("/api/devices/").json()["results"]] == ["dvc1"]


@pytest.mark.parametrize(("verb", "body"), [*OTHERS, ("import-key", IMPORT)])
def test_a_bound_token_cannot_touch_another_device(bound, other, verb, body):
    Device.objects.filter(pk=other.pk).update(state="suspended")

    response = bound.post(f"/api/device/dvc2/{verb}/", body, format="json")

    assert response.status_code == 404
    other.refresh_from_db()
    assert (other.state, other.key, other.signing_keys.count()) == ("suspended", KEY, 0)


@pytest.mark.parametrize("serial", ["dvc2", "dvc3"])
def test_a_bound_token_cannot_initialise_another_device(bound, kra, serial):
    body = {"serial": serial, "branch": "00"}

    assert bound.post("/api/device/init/", body, format="json").status_code == 404
    assert not Device.objects.filter(serial="dvc3").exists()


def test_a_bound_token_may_initialise_its_own(bound):
    body = {"serial": "dvc1", "branch": "00"}

    assert bound.post("/api/device/init/", body, format="json").status_code == 200


@pytest.mark.parametrize("wanted", ["", "dvc2"])
def test_a_bound_token_makes_no_wider_one(bound, wanted):
    body = {"name": "wider", "scopes": ["sales:write"], "device": wanted}

    response = bound.post("/api/tokens/", body, format="json")

    assert response.status_code == 403
    assert not ApiToken.objects.filter(name="wider").exists()


def test_a_bound_token_may_make_one_like_itself(bound, device):
    body = {"name": "till", "scopes": ["sales:write"], "device": "dvc1"}

    response = bound.post("/api/tokens/", body, format="json")

    assert response.status_code == 201
    assert response.json()["device"] == "dvc1"
    assert ApiToken.objects.get(name="till").device == device


def test_a_token_is_not_bound_to_another_companys_device(api, beta, device):
    body = {"name": "till", "scopes": ["sales:write"], "device": "dvc1"}

    assert api(beta).post("/api/tokens/", body, format="json").status_code == 404


def test_a_bound_token_sees_the_tokens_of_its_device(api, alpha, device, other):
    api(alpha, device=other)
    client = api(alpha, device=device)

    shown = client.get("/api/tokens/").json()["results"]

    assert [row["device"] for row in shown] == ["dvc1"]
    assert str(ApiToken.objects.get(device=device)).startswith("test (etims_")
    assert Branch.objects.count() == 1
