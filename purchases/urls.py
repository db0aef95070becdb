from django.urls import path

from . import views

urlpatterns = [
    path("purchases/", views.PurchaseListView.as_view(), name="purchase-list"),
    path("purchases/sync/", views.SyncView.as_view(), name="purchase-sync"),
    path("purchases/<int:pk>/", views.PurchaseView.as_view(), name="purchase"),
    path("purchases/<int:pk>/match/", views.MatchView.as_view(), name="purchase-match"),
    path("purchases/<int:pk>/confirm/", views.ConfirmView.as_view(), name="purchase-confirm"),
    path("purchases/<int:pk>/reject/", views.RejectView.as_view(), name="purchase-reject"),
    path("purchases/<int:pk>/reopen/", views.ReopenView.as_view(), name="purchase-reopen"),
    path("purchases/<int:pk>/retry/", views.RetryView.as_view(), name="purchase-retry"),
]
