from django.db import models

from companies.models import Environment


class Notice(models.Model):
    """One announcement of KRA, as it published it. Text of strangers: escape before showing."""

    environment = models.CharField(max_length=10, choices=Environment.choices)
    number = models.BigIntegerField()
    title = models.CharField(max_length=1000, blank=True)
    text = models.TextField(blank=True)
    url = models.CharField(max_length=500, blank=True)
    author = models.CharField(max_length=60, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    # When we first had these words of it.
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "number"], name="notice_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.title}"
