from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from monitoring.models import Alert, AlertNotice, Severity


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
