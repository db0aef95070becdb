from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from companies.models import ApiToken
from monitoring.models import Alert, AlertNotice, SeenCertificate, Severity


def alert_metrics(now: datetime) -> Iterator[Metric]:
    rows = dict.fromkeys(Severity.values, 0)
    counted = Alert.objects.open().order_by().values_list("severity")
    rows |= dict(counted.annotate(number=Count("*")))
    alerts = GaugeMetricFamily("etims_open_alerts", "Alerts not yet over.", labels=["severity"])
    for severity, number in rows.items():
        alerts.add_metric([severity], number)
    yield alerts
    owed = AlertNotice.objects.filter(sent_at=None, dropped_at=None).count()
    yield GaugeMetricFamily("etims_alert_notices_owed", "Not yet told to a channel.", value=owed)


def expiry_metrics(now: datetime) -> Iterator[Metric]:
    """Certificates as the watchdog last saw them; it asks, a scrape does not."""
    text = "Until a host's certificate ends; 0 when it is over or not valid."
    left = GaugeMetricFamily("etims_certificate_expiry_seconds", text, labels=["host"])
    seen = SeenCertificate.objects.exclude(ends_at=None, refusal="").order_by("host", "port")
    for row in seen[: settings.METRICS_TOP]:
        ends = row.ends_at or now
        left.add_metric([str(row)], max(0.0, (ends - now).total_seconds()))
    yield left
    tokens = ApiToken.objects.usable().filter(expires_at__isnull=False)
    soon = now + timedelta(days=settings.ALERT_EXPIRY_DAYS)
    number = tokens.filter(expires_at__lte=soon).count()
    yield GaugeMetricFamily("etims_tokens_ending", "Within ALERT_EXPIRY_DAYS.", value=number)
    first = tokens.aggregate(first=Min("expires_at"))["first"]
    if first is not None:
        text = "Until the first token ends that can still be used."
        seconds = max(0.0, (first - now).total_seconds())
        yield GaugeMetricFamily("etims_token_expiry_seconds", text, value=seconds)
