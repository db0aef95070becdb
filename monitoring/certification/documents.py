"""The papers for KRA that people must write, begun with the facts this deployment knows.

Nothing is invented: what is not known here stands as "to be filled in: …".
"""

import platform
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.db import connection
from django.template.loader import render_to_string
from django.utils import timezone

from companies.models import ApiToken, Company, Member
from devices.models import Device
from kra.times import NAIROBI
from outbox.models import Transmission
from sales.models import Invoice

from .state import write
from .verdict import cell

FOLDER = "documents"
NAMES = ("kyc.md", "architecture.md")
UNKNOWN = "to be filled in"


def lay_out(company: Company, folder: Path) -> list[Path]:
    facts = collect(company)
    paths = []
    for name in NAMES:
        path = _free(folder / FOLDER / name)
        write(path, render_to_string(f"certification/{name}", facts).encode())
        paths.append(path)
    return paths


def _free(path: Path) -> Path:
    """What people have filled in since is not written over."""
    if not path.exists():
        return path
    return path.with_stem(f"{path.stem}-{timezone.now().astimezone(NAIROBI):%Y%m%d-%H%M%S}")


def collect(company: Company) -> dict[str, Any]:
    return {
        "written_on": f"{timezone.now().astimezone(NAIROBI):%d/%m/%Y}",
        "company": {
            "pin": company.pin,
            "name": cell(company.name),
            "trade_name": cell(company.trade_name),
            "registered_name": cell(company.registered_name),
            "verified_on": _day(company.pin_verified_at),
            "environment": company.environment,
            "profile": company.profile,
        },
        "branches": [
            {"code": one.code, "name": cell(one.name), "address": cell(one.address)}
            for one in company.branches.order_by("code")
        ],
        "devices": [_device(one) for one in _devices(company)],
        "members": Member.objects.filter(company=company).count(),
        "tokens": ApiToken.objects.usable().filter(company=company).count(),
        "hosts": _hosts(company),
        "versions": _versions(),
        "security": _security(),
        "records": {
            "invoices": Invoice.objects.filter(company=company).count(),
            "messages": Transmission.objects.filter(lane__device__company=company).count(),
            "max_age_days": settings.SALES_MAX_AGE_DAYS,
            "deadline_hours": settings.SALES_DEADLINE_HOURS,
        },
    }


def _devices(company: Company) -> list[Device]:
    devices = Device.objects.filter(company=company).select_related("branch")
    return list(devices.defer("init_answer").order_by("branch__code", "serial"))


def _device(device: Device) -> dict[str, str]:
    return {
        "serial": cell(device.serial),
        "branch": device.branch.code,
        "state": device.state,
        "scu_id": cell(device.scu_id),
        "machine_number": cell(device.machine_number),
        "initialised_on": _day(device.initialised_at),
    }


def _hosts(company: Company) -> dict[str, str]:
    base_url, token_url = settings.KRA_HOSTS[(company.environment, company.profile)]
    database = connection.settings_dict
    redis = urlsplit(settings.REDIS_URL)
    return {
        "public": settings.PUBLIC_URL,
        "kra": base_url if base_url.startswith("http") else "",
        "token": token_url if token_url.startswith("http") else "",
        # Host and name only: user and password are nobody's business.
        "database": f"{database.get('HOST') or 'local socket'}/{database.get('NAME')}",
        "redis": f"{redis.hostname or 'local socket'}",
    }


def _versions() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        ((postgres,),) = cursor.fetchall()
    return {
        "service": str(settings.SPECTACULAR_SETTINGS["VERSION"]),
        "python": platform.python_version(),
        "django": django.get_version(),
        "postgres": postgres.split()[0],
        "system": f"{platform.system()} {platform.release()}",
    }


def _security() -> dict[str, Any]:
    return {
        "is_https": settings.PUBLIC_URL.startswith("https://"),
        "hsts_days": int(getattr(settings, "SECURE_HSTS_SECONDS", 0)) // 86_400,
        "is_debug": settings.DEBUG,
        "encryption_keys": len(settings.ENCRYPTION_KEYS),
        "rate_limit": settings.API_RATE_LIMIT,
        "token_cache_s": f"{settings.API_TOKEN_CACHE_SECONDS:g}",
        "read_timeout_s": f"{settings.KRA_READ_TIMEOUT:g}",
        "connect_timeout_s": f"{settings.KRA_CONNECT_TIMEOUT:g}",
    }


def _day(moment: Any) -> str:
    return f"{moment.astimezone(NAIROBI):%d/%m/%Y}" if moment else ""
