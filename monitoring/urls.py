from django.urls import path

from .views import dashboard, health, logs

urlpatterns = [
    path("health/", health.ReadyView.as_view(), name="health"),
    path("health/live/", health.LiveView.as_view(), name="health-live"),
    path("health/ready/", health.ReadyView.as_view(), name="health-ready"),
    path("api/logs/", logs.LogListView.as_view(), name="log-list"),
    path("api/logs/<int:pk>/", logs.LogView.as_view(), name="log"),
    path("api/dashboard/", dashboard.DashboardView.as_view(), name="dashboard"),
]
