"""Which device asks KRA on behalf of a request that is no till's own."""

from rest_framework.request import Request

from companies.authentication import token_of
from companies.views import company_of

from .errors import NoActiveDevice
from .models import Device
from .services import first_active
from .views import bound_device, check_binding, visible_device


def device_to_ask(request: Request, *, serial: str = "", company: str = "") -> Device:
    """The device that is named, else the token's own, else one of the company's. Raises
    NoActiveDevice, NotFound, and Invalid when the operator names neither device nor company.
    """
    token = token_of(request)
    if serial:
        check_binding(token, serial)
        device: Device | None = visible_device(token, serial)
    elif token.device_id:
        device = bound_device(token)
    else:
        device = first_active(company_of(request, company))
    if device is None or device.state != Device.State.ACTIVE:
        raise NoActiveDevice(
            f"The device {device.serial} is {device.state}; KRA cannot be asked with it."
            if device
            else "The company has no active device to ask KRA with."
        )
    return device
