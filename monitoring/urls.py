from django.urls import include, path

from . import views
from .alerts.views import AlertListView, AlertTestView
from .journal.views import JournalView
from .metrics.views import MetricsView
from .page.views import DashboardFragment, DashboardPage, SignInView, SignOutView
from .retention.views import HoldListView, ReleaseHoldView

urlpatterns = [
    path("health/", views.ReadyView.as_view(), name="health"),
    path("health/live/", views.LiveView.as_view(), name="health-live"),
    path("health/ready/", views.ReadyView.as_view(), name="health-ready"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("metrics/", MetricsView.as_view()),
    path("dashboard/", DashboardPage.as_view(), name="dashboard-page"),
    path("dashboard/fragment/", DashboardFragment.as_view(), name="dashboard-fragment"),
    path("dashboard/login/", SignInView.as_view(), name="dashboard-login"),
    path("dashboard/logout/", SignOutView.as_view(), name="dashboard-logout"),
    path("api/logs/", views.LogListView.as_view(), name="log-list"),
    path("api/logs/<int:pk>/", views.LogView.as_view(), name="log"),
    path("api/journal/", JournalView.as_view(), name="journal"),
    path("api/holds/", HoldListView.as_view(), name="hold-list"),
    path("api/holds/<int:pk>/release/", ReleaseHoldView.as_view(), name="hold-release"),
    path("api/alerts/", AlertListView.as_view(), name="alert-list"),
    path("api/alerts/test/", AlertTestView.as_view(), name="alert-test"),
    path("api/dashboard/", views.DashboardView.as_view(), name="dashboard"),
    path("", include("monitoring.webhooks.urls")),
]
