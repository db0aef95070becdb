from typing import Any

import msgspec
from django.core.management.base import CommandParser

from companies.models import Environment, Profile
from companies.schemas import GatewayInput, OnboardInput
from companies.services import onboard_company
from core.api import parse
from monitoring.console import ServiceCommand, read_input

EPILOG = "The company's first token is printed once, on the last line; only its hash is kept."


class Command(ServiceCommand):
    help = f"Create a company with its head office and first token: all or nothing. {EPILOG}"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pin", required=True, help="KRA PIN: a letter, 9 digits, a letter")
        parser.add_argument("--name", required=True, help="legal name")
        parser.add_argument("--trade-name", default="", help="printed on receipts when it differs")
        parser.add_argument(
            "--environment",
            required=True,
            choices=Environment.values,
            help="where its sales go; it cannot be changed afterwards",
        )
        parser.add_argument(
            "--profile",
            default=Profile.DIRECT.value,
            choices=Profile.values,
            help="KRA's older host (direct, the default) or its gateway",
        )
        parser.add_argument(
            "--branch", required=True, metavar="CODE", help="KRA's code of the head office: 00"
        )
        parser.add_argument("--branch-name", default="Head office", help="default: Head office")
        parser.add_argument("--address", default="", help="of the head office, as on receipts")
        parser.add_argument(
            "--gateway-keys",
            metavar="FILE",
            help="JSON file with consumer_key, consumer_secret and app_id from KRA's developer "
            "portal (profile gavaconnect); - reads standard input. Never given as arguments: "
            "other users of the machine see those",
        )

    def act(self, options: dict[str, Any]) -> None:
        data = parse(msgspec.json.encode(_content(options)), OnboardInput)
        keys = options["gateway_keys"]
        gateway = parse(read_input(keys), GatewayInput) if keys else None
        company, branch, secret = onboard_company(
            pin=data.pin,
            name=data.name,
            trade_name=data.trade_name,
            environment=data.environment,
            profile=data.profile,
            head_office=msgspec.structs.asdict(data.head_office),
            gateway=msgspec.structs.asdict(gateway) if gateway else None,
        )
        self.say(f"{company} is onboarded for {company.environment}/{company.profile}.")
        self.say(f"Head office: {branch.code} {branch.name}")
        self.say(f"Next: manage.py init_device SERIAL --branch {branch.code}")
        self.say("The token, shown only now:")
        self.say(secret)


def _content(options: dict[str, Any]) -> dict[str, Any]:
    office = {
        "code": options["branch"],
        "name": options["branch_name"],
        "address": options["address"],
    }
    plain = ("pin", "name", "trade_name", "environment", "profile")
    return {name: options[name] for name in plain} | {"head_office": office}
