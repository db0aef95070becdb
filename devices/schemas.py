from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from companies.schemas import VISIBLE, BranchCode, CompanyPin

from .models import Device, SigningKey
from .services import Verdict

Serial = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._\-]*(/[A-Za-z0-9._\-]+)*$",
        description="The serial number that KRA approved for the device.",
        examples=["dvcv1130"],
    ),
]


class InitInput(Struct, forbid_unknown_fields=True):
    serial: Serial
    branch: BranchCode
    company: CompanyPin = ""


class ImportKeyInput(Struct, forbid_unknown_fields=True):
    branch: BranchCode
    key: Annotated[
        str, Meta(min_length=8, max_length=255, pattern=VISIBLE, description="cmcKey from KRA.")
    ]
    scu_id: Annotated[str, Meta(min_length=1, max_length=18, description="SCU id (sdcId).")]
    machine_number: Annotated[str, Meta(max_length=11)] = ""
    company: str = ""


class StateInput(Struct, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(min_length=3, max_length=300)]


class TestInput(Struct, forbid_unknown_fields=True):
    serial: Serial


class DeviceOutput(Struct):
    serial: str
    branch: str
    state: str
    state_reason: str
    scu_id: str
    machine_number: str
    has_key: bool
    environment: str
    profile: str
    signing_key: str | None
    initialised_at: datetime | None

    @classmethod
    def of(cls, device: Device) -> "DeviceOutput":
        current = [key for key in device.signing_keys.all() if key.retired_at is None]
        return cls(
            serial=device.serial,
            branch=device.branch.code,
            state=device.state,
            state_reason=device.state_reason,
            scu_id=device.scu_id,
            machine_number=device.machine_number,
            has_key=bool(device.key),
            environment=device.company.environment,
            profile=device.company.profile,
            signing_key=current[0].fingerprint if current else None,
            initialised_at=device.initialised_at,
        )


class KeyOutput(Struct):
    version: int
    algorithm: str
    public_key: Annotated[str, Meta(description="Ed25519, 32 bytes in hexadecimal.")]
    fingerprint: Annotated[str, Meta(description="SHA-256 of the public key.")]
    created_at: datetime

    @classmethod
    def of(cls, key: SigningKey) -> "KeyOutput":
        return cls(key.version, "Ed25519", key.public_key, key.fingerprint, key.created_at)


class TestOutput(Struct):
    serial: str
    verdict: Annotated[str, Meta(description="ok, warning or failed: the worst of the checks.")]
    checks: list[Verdict]

    @classmethod
    def of(cls, serial: str, checks: list[Verdict]) -> "TestOutput":
        verdicts = {check.verdict for check in checks}
        worst = next((v for v in ("failed", "warning") if v in verdicts), "ok")
        return cls(serial, worst, checks)
