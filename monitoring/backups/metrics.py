from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from monitoring.models import Heartbeat


def backup_metrics(now: datetime) -> Iterator[Metric]:
    """Absent until `manage.py backup` has written the first."""
    newest = Heartbeat.objects.filter(name=Heartbeat.Name.BACKUP).first()
    if newest is not None:
        age = max(0.0, (now - newest.at).total_seconds())
        text = "Since manage.py backup last finished a copy."
        yield GaugeMetricFamily("etims_backup_age_seconds", text, value=age)
