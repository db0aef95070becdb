"""Let old events go, in batches, and give up what waited too long."""

from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Max
from django.utils import timezone

from monitoring.models import Delivery, Endpoint, Event, Feed

BATCH = 1000


def prune() -> int:
    """Delete events older than EVENTS_KEEP_DAYS, with their deliveries; return how many."""
    now = timezone.now()
    mend_moved()
    too_old = now - timedelta(hours=settings.WEBHOOK_GIVE_UP_HOURS)
    waiting = Delivery.objects.filter(state=Delivery.State.PENDING)
    waiting = waiting.exclude(endpoint__state=Endpoint.State.ACTIVE)
    waiting.filter(due_since__lt=too_old).update(
        state=Delivery.State.FAILED, finished_at=now, last_error="The endpoint was disabled."
    )
    done, cut = 0, now - timedelta(days=settings.EVENTS_KEEP_DAYS)
    while deleted := _batch(cut):
        done += deleted
    return done


@transaction.atomic(durable=True)
def _batch(cut: object) -> int:
    """The mark and the deletion together: a reader finds the rows, or learns that they went."""
    old = list(Event.objects.filter(created_at__lt=cut).order_by("created_at")[:BATCH])
    if not old:
        return 0
    keys = [event.pk for event in old]
    last = Event.objects.filter(pk__in=keys).aggregate(last=Max("recorded_in"))["last"]
    Feed.objects.filter(pk=1, pruned_to__lt=last).update(pruned_to=last)
    Delivery.objects.filter(event__in=keys).delete()
    Event.objects.filter(pk__in=keys).delete()
    return len(old)


@transaction.atomic(durable=True)
def mend_moved() -> bool:
    """The rows came from another cluster, whose transaction ids had run further than ours: they
    would stay hidden until ours catch up. All of them are settled, so they come first.
    """
    Feed.objects.bulk_create([Feed()], ignore_conflicts=True)
    # In this order: an event that is recorded in between must not look like one from elsewhere.
    last = Event.objects.aggregate(last=Max("recorded_in"))["last"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        ((end,),) = cursor.fetchall()
    if last is None or last < end:
        return False
    new_era()
    return True


def new_era() -> None:
    """Places given out so far mean nothing any more. Runs in a transaction."""
    Feed.objects.bulk_create([Feed()], ignore_conflicts=True)
    Event.objects.update(recorded_in=0)
    Feed.objects.filter(pk=1).update(era=F("era") + 1, pruned_to=-1, sender=None, sender_until=None)
