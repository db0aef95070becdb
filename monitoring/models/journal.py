"""The journal: per device, what happened, in a chain that shows every later change.

Entries and checkpoints are only ever inserted; a trigger of the database refuses all else
(migration `journal`, docs/journal.md).
"""

from django.db import models

from companies.models import TenantQuerySet
from devices.models import Device, SigningKey


class JournalQuerySet(TenantQuerySet["JournalEntry"]):
    company_path = "device__company_id"
    device_path = "device_id"


class JournalEntry(models.Model):
    """One fact in a device's chain. `body` is canonical JSON (RFC 8785): the very text that was
    hashed and signed. All other columns repeat it, so that rows can be found.
    """

    device = models.ForeignKey(
        Device, on_delete=models.PROTECT, related_name="journal", db_index=False
    )
    sequence = models.BigIntegerField()
    kind = models.CharField(max_length=20)
    # The row that the fact is about; with the kind it says what was entered already.
    source = models.BigIntegerField()
    recorded_at = models.DateTimeField()
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="+", db_index=False)
    body = models.TextField()
    hash = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)

    objects = JournalQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "journal entries"
        constraints = [
            models.UniqueConstraint(fields=["device", "sequence"], name="journal_sequence_once"),
            models.UniqueConstraint(fields=["device", "kind", "source"], name="journal_fact_once"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id}/{self.sequence} {self.kind}"


class CheckpointQuerySet(TenantQuerySet["JournalCheckpoint"]):
    company_path = "device__company_id"
    device_path = "device_id"


class JournalCheckpoint(models.Model):
    """A signed statement of how far a chain had come. A copy outside shows when its tail is cut."""

    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="checkpoints")
    sequence = models.BigIntegerField()
    at = models.DateTimeField()
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="+")
    body = models.TextField()
    signature = models.CharField(max_length=128)

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device", "sequence"], name="checkpoint_sequence_once"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id}/{self.sequence} {self.at:%Y-%m-%d}"


class JournalHead(models.Model):
    """Where a device's chain ends. Its row is the lock of whoever writes the next entries."""

    device = models.OneToOneField(
        Device, on_delete=models.PROTECT, primary_key=True, related_name="journal_head"
    )
    sequence = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, blank=True)
    # Version of the signing key that the chain announced last; it signs what follows.
    key_version = models.PositiveIntegerField(default=0)
    checkpoint_on = models.DateField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.device_id}/{self.sequence}"


class JournalSource(models.Model):
    """How far one table has been read: no row up to `closed_id` can appear any more."""

    kind = models.CharField(max_length=20, primary_key=True)
    closed_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.kind} up to {self.closed_id}"


class UnjournaledFact(models.Model):
    """A fact that has happened and is not in the chain yet; gone once it is.

    `source` points at its row; a fact without a row of its own carries what happened in `facts`.
    """

    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20)
    source = models.BigIntegerField(null=True)
    facts = models.JSONField(null=True)
    at = models.DateTimeField()
    # A call that never ended was entered as open; its end, if it comes, is one more entry.
    is_open_noted = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "source"], name="unjournaled_once"),
            models.CheckConstraint(
                condition=models.Q(source__isnull=False) | models.Q(facts__isnull=False),
                name="unjournaled_says_something",
            ),
        ]
        indexes = [models.Index(fields=["device", "at", "id"], name="unjournaled_next")]

    def __str__(self) -> str:
        return f"{self.device_id} {self.kind} {self.source or ''}"
