"""What may be let go by age, how far that has come, and what must stay all the same."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from companies.models import Company, TenantQuerySet
from devices.models import Device


class HoldQuerySet(TenantQuerySet["LegalHold"]):
    device_path = "device_id"

    def in_force(self) -> "HoldQuerySet":
        return self.filter(released_at=None)


class LegalHold(models.Model):
    """Somebody needs the records of a company, or of one device: nothing of it is let go by age.

    Released once, never deleted or changed; the journal of each device says both.
    """

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="holds")
    # None: all devices of the company, those to come as well.
    device = models.ForeignKey(
        Device, on_delete=models.PROTECT, null=True, blank=True, related_name="holds"
    )
    reason = models.CharField(max_length=300)
    placed_at = models.DateTimeField(default=timezone.now)
    placed_by = models.CharField(max_length=150)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=150, blank=True)
    release_reason = models.CharField(max_length=300, blank=True)

    objects = HoldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="hold_has_reason"),
            models.CheckConstraint(
                condition=Q(released_at=None) | ~Q(release_reason=""),
                name="hold_release_has_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["company"], name="hold_in_force", condition=Q(released_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.company_id}: {self.reason}"


class PruneMark(models.Model):
    """How far one kind of old rows of a device has been let go. Its row is the lock of who does it.

    What was old enough and had to stay (unsettled, not yet journaled) is looked at again in the
    next round, from `left_from` on.
    """

    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="+")
    what = models.CharField(max_length=10)
    last_id = models.BigIntegerField(default=0)
    left_from = models.BigIntegerField(null=True, blank=True)
    round_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device", "what"], name="prune_mark_once"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id} {self.what} up to {self.last_id}"
