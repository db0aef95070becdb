"""Who did what and why, and what waits for a second person."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from companies.models import Company, TenantQuerySet


class AuditEventQuerySet(TenantQuerySet["AuditEvent"]):
    def about(self, model: str, pk: object) -> "AuditEventQuerySet":
        return self.filter(model=model, object_id=str(pk))


class AuditEvent(models.Model):
    """One thing that a person, a token or a command did, or tried. Only ever added: a trigger
    refuses changes. What is done in the admin has two rows, `asked` before and the outcome after,
    so that an act whose process died is seen.
    """

    class Actor(models.TextChoices):
        PERSON = "person"
        TOKEN = "token"
        COMMAND = "command"

    class Stage(models.TextChoices):
        ASKED = "asked"
        DONE = "done"
        REFUSED = "refused"
        REQUESTED = "requested"
        APPROVED = "approved"
        REJECTED = "rejected"
        EXPIRED = "expired"

    at = models.DateTimeField(auto_now_add=True)
    # None: of the installation, not of one company.
    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True, related_name="+")
    actor_kind = models.CharField(max_length=7, choices=Actor.choices)
    # As words: the row outlives the person and the token.
    actor = models.CharField(max_length=150)
    actor_id = models.BigIntegerField(null=True)
    act = models.CharField(max_length=30)
    stage = models.CharField(max_length=9, choices=Stage.choices)
    model = models.CharField(max_length=60)
    object_id = models.CharField(max_length=60, blank=True)
    object_text = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=400, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    # Of the page the act was asked on: the same page sent twice acts once.
    key = models.UUIDField(null=True, unique=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(actor_kind__in=["person", "token", "command"]), name="audit_actor"
            ),
            models.CheckConstraint(
                condition=Q(
                    stage__in=[
                        *("asked", "done", "refused", "requested", "approved", "rejected"),
                        "expired",
                    ]
                ),
                name="audit_stage",
            ),
        ]
        indexes = [
            models.Index(fields=["company", "-id"], name="audit_company"),
            models.Index(fields=["model", "object_id", "-id"], name="audit_object"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.act} {self.object_text} {self.stage}"


class ActionRequestQuerySet(TenantQuerySet["ActionRequest"]):
    def waiting(self, now: datetime) -> "ActionRequestQuerySet":
        return self.filter(state=ActionRequest.State.REQUESTED, expires_at__gt=now)


class ActionRequest(models.Model):
    """One dangerous act that waits for a second person.

    requested → approved → done | failed; requested → rejected | expired. Approving is a guarded
    update, so the act runs once however many people approve it at the same moment. One that stays
    `approved` is one whose process died while it acted: look at the object, then ask anew.
    """

    class State(models.TextChoices):
        REQUESTED = "requested"
        APPROVED = "approved"
        DONE = "done"
        FAILED = "failed"
        REJECTED = "rejected"
        EXPIRED = "expired"

    company = models.ForeignKey(Company, on_delete=models.PROTECT, related_name="+")
    act = models.CharField(max_length=30)
    model = models.CharField(max_length=60)
    object_id = models.BigIntegerField()
    object_text = models.CharField(max_length=200, blank=True)
    values = models.JSONField(default=dict)
    # What the first person saw: state, and both sides where they were compared.
    seen = models.JSONField(default=list)
    reason = models.CharField(max_length=400)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    requested_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.REQUESTED)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=500, blank=True)
    finished_at = models.DateTimeField(null=True)

    objects = ActionRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    state__in=["requested", "approved", "done", "failed", "rejected", "expired"]
                ),
                name="request_state",
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("requested_by")),
                name="request_second_person",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["requested", "expired"], decided_by=None, decided_at=None)
                | Q(
                    state__in=["approved", "done", "failed", "rejected"],
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                ),
                name="request_decided_has_decider",
            ),
            models.UniqueConstraint(
                fields=["act", "model", "object_id"],
                condition=Q(state="requested"),
                name="request_once",
            ),
        ]
        indexes = [models.Index(fields=["company", "-id"], name="request_company")]

    def __str__(self) -> str:
        return f"{self.act} {self.object_text}"
