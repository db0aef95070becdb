from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from companies.models import Branch
from items.models import Item
from items.services.stock_check import repair_levels, wrong_levels


class Command(BaseCommand):
    help = (
        "Sum all stock movements anew and report the levels that say otherwise. "
        "Fails when there are any."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repair", action="store_true", help="Set wrong levels to the sums.")

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = repair_levels() if options["repair"] else wrong_levels()
        branches = Branch.objects.select_related("company").in_bulk({w.branch_id for w in wrong})
        items = Item.objects.in_bulk({w.item_id for w in wrong})
        for one in wrong:
            branch, item = branches[one.branch_id], items[one.item_id]
            self.stdout.write(
                f"{branch.company.pin} branch {branch.code} {item.sku}: "
                f"level {one.level}, movements {one.summed}; "
                f"at KRA {one.kra_level}, accepted {one.kra_summed}"
            )
        if wrong and not options["repair"]:
            raise CommandError(f"{len(wrong)} levels are wrong; --repair sets them right.")
        self.stdout.write(f"{len(wrong)} levels set right." if wrong else "All levels are right.")
