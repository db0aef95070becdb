"""A sender of webhooks that dies: `python -m tests.webhook_victim POINT PORT`."""

import os
import sys
import time

import django


def main(point: str, port: str) -> None:
    django.setup()
    from django.conf import settings

    from monitoring.models import Endpoint
    from monitoring.webhooks import delivery, sending

    from .victim import after

    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_PORTS = [int(port)]
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    if point == "after_claim":
        after(delivery, "claim")
    else:
        after(sending, "post")
    delivery.turn(Endpoint.objects.get().pk, until=time.monotonic() + 10)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "etims_integration.settings")
    main(*sys.argv[1:])
