from django.urls import path

from . import views

urlpatterns = [
    path("device/<path:serial>/resync-counter/", views.ResyncView.as_view(), name="device-resync"),
]
