import re
import time

import pytest

from simulator.tests.client import Device, Server, get_token, item

ANY = {"lastReqDt": "20180101000000"}


def test_it_hands_out_the_key_once(server, pin):
    server.approve(pin, name="Mfano Traders Ltd")
    device = Device(server, pin)

    first = device.post("init", dvcSrlNo=f"S-{pin}")
    second = device.post("init", dvcSrlNo=f"S-{pin}")

    info = first.data["info"]
    assert re.fullmatch("[0-9A-F]{52}", info["cmcKey"])
    assert (info["tin"], info["bhfId"], info["taxprNm"]) == (pin, "00", "Mfano Traders Ltd")
    assert (second.code, second.data) == ("902", None)


@pytest.mark.parametrize(
    ("_case", "settings", "changes", "code"),
    [
        ("unknown serial", {}, {"dvcSrlNo": "other"}, "901"),
        ("unknown branch", {}, {"bhfId": "05"}, "901"),
        ("a VSCU", {"kind": "vscu"}, {}, "903"),
        ("no serial", {}, {"dvcSrlNo": None}, "910"),
    ],
)
def test_it_refuses_to_initialise(server, pin, _case, settings, changes, code):
    server.approve(pin, **settings)
    device = Device(server, pin)

    assert device.post("init", **{"dvcSrlNo": f"S-{pin}", **changes}).code == code


def test_it_approves_any_serial_when_told_to(launch, pin):
    server = launch("--state", ":memory:", "--approve-any", "--quiet")

    answer = Device(server, pin).post("init", dvcSrlNo="anything")

    assert answer.code == "000"
    assert Device(server, pin).post("init", dvcSrlNo="something else").code == "901"


@pytest.mark.parametrize("missing", ["tin", "bhfId", "cmcKey"])
def test_it_misses_an_identity_header(gateway, missing):
    headers = {name: value for name, value in gateway.headers.items() if name != missing}

    assert gateway.post("code_list", ANY, headers=headers).code == "900"


def test_it_takes_the_identity_from_the_body_on_the_direct_host(device):
    answer = device.post("code_list", {**ANY, "cmcKey": device.key}, headers={})

    assert answer.code == "000"


def test_it_takes_header_names_in_any_case(device):
    headers = {name.lower(): value for name, value in device.headers.items()}

    assert device.post("code_list", ANY, headers=headers).code == "000"


@pytest.mark.parametrize(
    ("_case", "change"),
    [("wrong key", {"cmcKey": "0" * 52}), ("wrong branch", {"bhfId": "09"})],
)
def test_it_knows_no_such_device(device, _case, change):
    answer = device.post("code_list", ANY, headers={**device.headers, **change})

    assert answer.code == "901"


def test_it_notices_a_body_of_another_branch(device):
    assert device.post("code_list", {**ANY, "bhfId": "01"}).code == "901"


def test_it_knows_no_device_before_init(server, pin):
    server.approve(pin)
    device = Device(server, pin)
    device.key = server.control("GET", "/devices?with_key=1")["devices"][0]["cmc_key"]

    assert device.post("code_list", ANY).code == "901"


@pytest.mark.parametrize(
    ("_case", "body", "code"), [("empty", b"", "911"), ("not JSON", b"{", "910")]
)
def test_it_cannot_read_the_body(device, _case, body, code):
    assert device.post("code_list", body).code == code


def test_it_takes_only_post(device):
    answer = device.server.request("GET", device.path("code_list"), headers=device.headers)

    assert answer.json["resultCd"] == "912"


def test_it_issues_tokens(server):
    answer = get_token(server)

    assert answer.status == 200
    assert answer.json["expires_in"] == "3599"
    assert answer.json["access_token"]


@pytest.mark.parametrize("pair", ["", ":", "key:", ":secret"])
def test_it_issues_no_token_for_half_a_pair(server, pair):
    assert get_token(server, pair).status == 401


def test_it_answers_a_posted_token_request_with_nothing(server):
    path = "/v1/token/generate?grant_type=client_credentials"

    answer = server.request("POST", path, b"", {"Authorization": "Basic a2V5OnNlY3JldA=="})

    assert (answer.status, answer.text) == (200, "")


def test_it_can_insist_on_one_pair(launch):
    server = launch("--state", ":memory:", "--consumer", "till:secret", "--quiet")

    assert get_token(server, "till:other").status == 401
    assert get_token(server, "till:secret").status == 200


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic a2V5OnNlY3JldA=="])
def test_it_wants_a_token_on_the_gateway(gateway, authorization):
    headers = {**gateway.headers, "Authorization": authorization}

    answer = gateway.post("code_list", ANY, headers=headers)

    assert answer.status == 401
    assert answer.json["header"]["responseCode"] == 401
    assert answer.json["body"] == {}


def test_it_lets_tokens_expire(launch, pin):
    server = launch("--state", ":memory:", "--token-seconds", "2", "--quiet")
    server.approve(pin)
    gateway = Device(server, pin, gateway=True).start()
    time.sleep(2.1)

    answer = gateway.post("code_list", ANY)

    assert answer.status == 401
    assert answer.json == {"fault": {"faultstring": "access token expired"}}


def test_it_wraps_answers_on_the_gateway(gateway):
    full = gateway.post("item_class_list", ANY)
    empty = gateway.post("item_list", ANY)

    assert (full.status, full.json["responseHeader"]["responseCode"]) == (200, 200)
    assert full.json["responseBody"]["resultCd"] == "000"
    assert (empty.status, empty.json["responseHeader"]["responseCode"]) == (400, 200)
    assert empty.json["responseBody"]["resultCd"] == "001"
    assert empty.json["responseBody"]["data"] is None


@pytest.mark.parametrize(
    "path", ["/selectItemClsList", "/selectItemClass", "/selectNotices", "/selectTaxPayerInfo"]
)
def test_it_knows_both_names_on_the_gateway(gateway, path):
    answer = gateway.server.request(
        "POST", f"/etims-oscu/api/v1{path}", {**ANY, "tin": gateway.pin}, gateway.headers
    )

    assert answer.code == "000"


def test_it_serves_nothing_elsewhere(server):
    assert server.request("POST", "/etims-api/nothing", {}).status == 404


def test_it_never_logs_a_key(launch, pin):
    server = launch("--state", ":memory:")
    server.approve(pin)
    device = Device(server, pin).start()
    device.post("item_save", {**item("KE2CTNO0000001"), "cmcKey": device.key})
    device.post("item_save", {**item("KE2CTNO0000001"), "itemNm": "x\nforged line"})

    lines = server.stop()

    assert device.key not in lines
    assert f"POST item_save direct pin={pin} branch=00 number=KE2CTNO0000001 outcome=000" in lines
    assert "\nforged" not in lines


def test_it_gives_repeatable_keys_for_a_seed(launch, pin):
    keys = []
    for _ in range(2):
        server: Server = launch("--state", ":memory:", "--seed", "7", "--quiet")
        server.approve(pin)
        keys.append(Device(server, pin).start().key)

    assert keys[0] == keys[1]
