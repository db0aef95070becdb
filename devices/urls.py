from django.urls import path

from . import views
from .branches.views import BranchSyncView
from .models import Device

# A serial may hold slashes (ODOO/P051234567X/0).
urlpatterns = [
    path("devices/", views.DeviceListView.as_view(), name="device-list"),
    path("branches/sync/", BranchSyncView.as_view(), name="branch-sync"),
    path("device/init/", views.InitView.as_view(), name="device-init"),
    path("device/test-connection/", views.TestConnectionView.as_view(), name="device-test"),
    path(
        "device/<path:serial>/generate-keys/", views.GenerateKeysView.as_view(), name="device-keys"
    ),
    path("device/<path:serial>/import-key/", views.ImportKeyView.as_view(), name="device-import"),
    path(
        "device/<path:serial>/suspend/",
        views.ChangeStateView.as_view(to=Device.State.SUSPENDED),
        name="device-suspend",
    ),
    path(
        "device/<path:serial>/resume/",
        views.ChangeStateView.as_view(to=Device.State.ACTIVE),
        name="device-resume",
    ),
]
