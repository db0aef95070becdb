from django.urls import path

from . import views

urlpatterns = [
    path("imports/", views.ImportListView.as_view(), name="import-list"),
    path("imports/sync/", views.ImportSyncView.as_view(), name="import-sync"),
    path("imports/<int:pk>/", views.ImportView.as_view(), name="import"),
    path("imports/<int:pk>/match/", views.ImportMatchView.as_view(), name="import-match"),
    path("imports/<int:pk>/approve/", views.ImportApproveView.as_view(), name="import-approve"),
    path("imports/<int:pk>/reject/", views.ImportRejectView.as_view(), name="import-reject"),
    path("imports/<int:pk>/retry/", views.ImportRetryView.as_view(), name="import-retry"),
]
