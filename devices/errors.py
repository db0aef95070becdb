from core.errors import Conflict, DomainError, Upstream


class ChecklistFailed(Conflict):
    """Something would make the one-time initialisation fail, or lose the key."""

    code = "checklist_failed"
    help = "Mend each point, then initialise again. KRA was not called."


class InitialisationUnderWay(Conflict):
    code = "initialisation_under_way"
    help = "Wait for the other request; GET /api/devices/ shows the state."


class AlreadyInstalled(Conflict):
    """KRA's 902: the device was initialised before; the key is not given out again (rule A2)."""

    code = "device_already_installed"
    help = (
        "If you hold the key from an earlier installation, import it with POST "
        "/api/device/{serial}/import-key/. If it is lost, ask KRA's eTIMS support to reset the "
        "device. Never repeat the initialisation in a loop: it corrupts sandbox accounts."
    )


class DeviceRejected(DomainError):
    status = 422
    code = "device_rejected"


class InitialisationLost(Upstream):
    code = "initialisation_outcome_unknown"
    help = (
        "KRA may have initialised the device without its key reaching us. Initialise once more: if "
        "the answer is device_already_installed, ask KRA's eTIMS support to reset the device."
    )


class AmbiguousSerial(Conflict):
    code = "ambiguous_serial"
    help = "Use a token of the company that owns the device."


class NoActiveDevice(Conflict):
    """KRA is asked through a device, and there is none that it would answer."""

    code = "no_active_device"
    help = "Initialise a device with POST /api/device/init/, or resume one, first."


class WrongState(Conflict):
    code = "wrong_device_state"
