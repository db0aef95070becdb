from django.urls import include, path

from . import views
from .journal.views import JournalView

urlpatterns = [
    path("health/", views.ReadyView.as_view(), name="health"),
    path("health/live/", views.LiveView.as_view(), name="health-live"),
    path("health/ready/", views.ReadyView.as_view(), name="health-ready"),
    path("api/logs/", views.LogListView.as_view(), name="log-list"),
    path("api/logs/<int:pk>/", views.LogView.as_view(), name="log"),
    path("api/journal/", JournalView.as_view(), name="journal"),
    path("api/dashboard/", views.DashboardView.as_view(), name="dashboard"),
    path("", include("monitoring.webhooks.urls")),
]
