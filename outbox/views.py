from typing import Annotated

from msgspec import Meta, Struct
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from companies.authentication import token_of
from companies.models import Scope
from core.api import decode
from core.errors import NotFound
from core.openapi import describe
from devices.views import visible_device

from .models import Lane, Stream
from .resync import resync_counter


class ResyncInput(Struct, forbid_unknown_fields=True):
    last_number: Annotated[int, Meta(ge=0, le=10**15, description="Last number KRA accepted.")]
    reason: Annotated[str, Meta(min_length=3, max_length=300)]
    stream: str = Stream.FISCAL.value


class LaneOutput(Struct):
    device: str
    stream: str
    last_number: int


class ResyncView(APIView):
    scopes = {"POST": Scope.DEVICES_WRITE}

    @describe(
        "Set a counter right after an incident; KRA must confirm the number first",
        request=ResyncInput,
        answers={200: LaneOutput},
        refusals=(400, 404, 409),
    )
    def post(self, request: Request, serial: str) -> Response:
        data = decode(request, ResyncInput)
        device = visible_device(token_of(request), serial)
        lanes = Lane.objects.select_related("device__company", "device__branch")
        lane = lanes.filter(device=device, stream=data.stream).first()
        if lane is None:
            raise NotFound(f"The device has no stream {data.stream!r} yet.")
        resync_counter(lane, last_number=data.last_number, reason=data.reason)
        return Response(LaneOutput(device.serial, lane.stream, data.last_number))
