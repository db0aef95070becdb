import pytest

from kra.profiles import DEFAULT_HOSTS, ENDPOINTS, Credentials, Host, Identity, Target

DIRECT = Host("direct", "https://example.test/api/")


def test_it_knows_every_endpoint():
    assert len(ENDPOINTS) == 24
    assert all(endpoint.id == key for key, endpoint in ENDPOINTS.items())
    assert len({endpoint.path_direct for endpoint in ENDPOINTS.values()}) == 24
    assert len({endpoint.path_gavaconnect for endpoint in ENDPOINTS.values()}) == 24


def test_four_calls_spend_a_number():
    fiscal = {endpoint.id for endpoint in ENDPOINTS.values() if endpoint.is_fiscal}

    assert fiscal == {"sales_save", "purchase_save", "stock_io_save", "item_save"}


@pytest.mark.parametrize(
    ("endpoint_id", "direct", "gavaconnect"),
    [
        ("init", "/selectInitOsdcInfo", "/initialize"),
        ("sales_save", "/saveTrnsSalesOsdc", "/sendSalesTransaction"),
        ("invoice_details", "/selectInvoiceDetails", "/selectInvoiceDetail"),
        ("stock_io_save", "/insertStockIO", "/insert/stockIO"),
        ("stock_master_save", "/saveStockMaster", "/save/stockMaster"),
        ("import_update", "/updateImportItem", "/updateImportItem"),
    ],
)
def test_it_builds_addresses(endpoint_id, direct, gavaconnect):
    gateway = Host("gavaconnect", "https://example.test/v1")

    assert ENDPOINTS[endpoint_id].url(DIRECT) == f"https://example.test/api{direct}"
    assert ENDPOINTS[endpoint_id].url(gateway) == f"https://example.test/v1{gavaconnect}"


def test_it_ships_only_hosts_that_are_confirmed():
    assert set(DEFAULT_HOSTS) == {
        ("sandbox", "direct"),
        ("production", "direct"),
        ("sandbox", "gavaconnect"),
    }
    for (_, profile), host in DEFAULT_HOSTS.items():
        assert host.profile == profile
        assert host.base_url.startswith("https://")
        assert host.needs_token == (profile == "gavaconnect")


def test_no_repr_shows_a_secret():
    target = Target(
        DIRECT,
        Identity("A123456789Z", "00", "KEY-NEVER-SHOWN"),
        Credentials("CONSUMER-NEVER-SHOWN", "SECRET-NEVER-SHOWN", "app-1"),
    )

    assert "NEVER-SHOWN" not in repr(target) + str(target)
    assert "app-1" in repr(target)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Identity("A1\r\nX: 1", "00"),
        lambda: Identity("A1", "00", "SECRET\n"),
        lambda: Identity("A1", "0é", "SECRET"),
        lambda: Credentials("c", "SECRET\0", "app"),
    ],
)
def test_it_refuses_what_no_header_can_carry(build):
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        build()

    assert "SECRET" not in str(caught.value)
