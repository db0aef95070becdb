from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from companies.services import issue_platform_token


class Command(BaseCommand):
    help = "Make an operator's token: it onboards companies and sees all of them. Shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", default="operator", help="what the token is for")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(issue_platform_token(name=options["name"]))
