from django.urls import path

from . import views
from .branches.views import BranchSyncView
from .models import Device

urlpatterns = [
    path("devices/", views.DeviceListView.as_view(), name="device-list"),
    path("branches/sync/", BranchSyncView.as_view(), name="branch-sync"),
    path("device/init/", views.InitView.as_view(), name="device-init"),
    path("device/test-connection/", views.TestConnectionView.as_view(), name="device-test"),
    path(
        "device/<str:serial>/generate-keys/", views.GenerateKeysView.as_view(), name="device-keys"
    ),
    path("device/<str:serial>/import-key/", views.ImportKeyView.as_view(), name="device-import"),
    path(
        "device/<str:serial>/suspend/",
        views.ChangeStateView.as_view(to=Device.State.SUSPENDED),
        name="device-suspend",
    ),
    path(
        "device/<str:serial>/resume/",
        views.ChangeStateView.as_view(to=Device.State.ACTIVE),
        name="device-resume",
    ),
]
