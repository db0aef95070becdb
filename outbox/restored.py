"""The way out of `restored`: only KRA knows what was signed after the copy was made."""

from devices.models import Device

from .errors import CounterNotProven
from .models import Lane, Stream
from .resync import MOST_LOOKED_UP, is_held, resync_counter
from .services import lane_id_of


def resume(device: Device) -> int:
    """Ask KRA number by number where it stands, set the counter there, and let the device go.

    Raises CounterNotProven, LaneBusy; then the device stays where it is.
    """
    lanes = Lane.objects.select_related("device__company", "device__branch")
    lane = lanes.get(pk=lane_id_of(device.pk, Stream.FISCAL))
    last = lane.last_number
    while is_held(lane, last + 1):
        last += 1
        if last - lane.last_number > MOST_LOOKED_UP:
            raise CounterNotProven(
                f"KRA is more than {MOST_LOOKED_UP} numbers ahead of the copy.",
                help="Restore a newer copy, or set the counter with manage.py resync_counter.",
            )
    resync_counter(lane, last_number=last, reason="restored from a copy")
    return last
