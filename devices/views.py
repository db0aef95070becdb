from typing import Any

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import ApiToken, Branch, Company, Scope
from companies.views import company_of
from core.api import decode
from core.errors import NotFound
from core.openapi import describe, page_of
from core.views import ListView

from . import services
from .calls import device_of
from .errors import AmbiguousSerial
from .initialisation import initialise
from .models import Device
from .schemas import (
    DeviceOutput,
    ImportKeyInput,
    InitInput,
    KeyOutput,
    Serial,
    StateInput,
    TestInput,
    TestOutput,
)

NO_DEVICE = "GET /api/devices/ lists those that this token may see."


def visible_device(token: ApiToken, serial: str) -> Device:
    """The device, if the token may see it; another company's does not exist."""
    devices: Any = Device.objects.visible_to(token).select_related("company", "branch")
    found: list[Device] = list(devices.filter(serial=serial)[:2])
    if not found:
        raise NotFound(f"There is no device {serial!r}.", help=NO_DEVICE)
    if len(found) > 1:
        # Serials are unique in a company only, and the operator sees all companies.
        raise AmbiguousSerial(f"Several companies have a device {serial!r}.")
    return found[0]


def bound_device(token: ApiToken) -> Device | None:
    """The one device for which the token speaks, if it is bound to one."""
    return device_of(token.device_id) if token.device_id else None


def check_serial(serial: str) -> None:
    """A serial in an address obeys the rules of one in a body."""
    try:
        msgspec.convert(serial, Serial)
    except msgspec.ValidationError as exc:
        raise NotFound(f"{serial!r} cannot be a serial.") from exc


def check_binding(token: ApiToken, serial: str) -> None:
    """A token that is bound to a device speaks for no other, not even for one to come."""
    bound = bound_device(token)
    if bound is not None and bound.serial != serial:
        raise NotFound(f"There is no device {serial!r}.")


def branch_of(company: Company, code: str) -> Branch:
    branch = Branch.objects.filter(company=company, code=code).first()
    if branch is None:
        help = "Add it with POST /api/branches/, with the code that KRA gave it."
        raise NotFound(f"There is no branch {code!r}.", help=help)
    return branch


def _shown(device: Device) -> DeviceOutput:
    rows = Device.objects.select_related("company", "branch").prefetch_related("signing_keys")
    return DeviceOutput.of(rows.get(pk=device.pk))


class InitView(APIView):
    scopes = {"POST": Scope.DEVICES_WRITE}

    @describe(
        "Initialise a device with KRA, once, and keep its key",
        request=InitInput,
        answers={200: DeviceOutput},
        refusals=(400, 404, 409, 502),
    )
    def post(self, request: Request) -> Response:
        data = decode(request, InitInput)
        check_binding(token_of(request), data.serial)
        company = company_of(request, data.company)
        branch = branch_of(company, data.branch)
        device = initialise(company=company, branch=branch, serial=data.serial)
        return Response(_shown(device))


class ImportKeyView(APIView):
    scopes = {"POST": Scope.DEVICES_WRITE}

    @describe(
        "Import the key of a device that was initialised elsewhere",
        request=ImportKeyInput,
        answers={200: DeviceOutput},
        refusals=(400, 404, 409),
    )
    def post(self, request: Request, serial: str) -> Response:
        data = decode(request, ImportKeyInput)
        check_serial(serial)
        check_binding(token_of(request), serial)
        company = company_of(request, data.company)
        device = services.import_key(
            company=company,
            branch=branch_of(company, data.branch),
            serial=serial,
            key=data.key,
            scu_id=data.scu_id,
            machine_number=data.machine_number,
        )
        return Response(_shown(device))


class GenerateKeysView(APIView):
    scopes = {"POST": Scope.DEVICES_WRITE}

    @describe(
        "Make a new key pair with which this service signs its own evidence",
        answers={201: KeyOutput},
        refusals=(404,),
    )
    def post(self, request: Request, serial: str) -> Response:
        key = services.generate_keys(visible_device(token_of(request), serial))
        return Response(KeyOutput.of(key), status=201)


class TestConnectionView(APIView):
    scopes = {"POST": (Scope.DEVICES_WRITE, Scope.SALES_WRITE)}

    @describe(
        "Is KRA reachable, does it know the device, how fast, and whose clock is right",
        request=TestInput,
        answers={200: TestOutput},
        refusals=(400, 404),
    )
    def post(self, request: Request) -> Response:
        device = visible_device(token_of(request), decode(request, TestInput).serial)
        return Response(TestOutput.of(device.serial, services.check_connection(device)))


class DeviceListView(ListView):
    queryset = Device.objects.none()
    scopes = {"GET": (Scope.DEVICES_WRITE, Scope.SALES_READ)}
    filterset_fields = ("state", "serial")

    def get_queryset(self) -> Any:
        devices: Any = Device.objects.visible_to(token_of(self.request))
        return devices.select_related("company", "branch").prefetch_related("signing_keys")

    def output(self, row: Device) -> DeviceOutput:
        return DeviceOutput.of(row)

    @describe("Devices and their state", answers={200: page_of(DeviceOutput)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class ChangeStateView(APIView):
    """Suspend or resume; `to` comes from the address."""

    scopes = {"POST": Scope.DEVICES_WRITE}
    to: str = ""

    @describe(
        "Suspend or resume a device, with a reason",
        request=StateInput,
        answers={200: DeviceOutput},
        refusals=(400, 404, 409),
    )
    def post(self, request: Request, serial: str) -> Response:
        device = visible_device(token_of(request), serial)
        services.change_state(device, to=self.to, reason=decode(request, StateInput).reason)
        return Response(_shown(device))
