from django.urls import path

from . import list_views, stock_views, views
from .catalogue import urls as catalogue_urls
from .catalogue.views import ItemView
from .imports import urls as import_urls

urlpatterns = [
    path("item/sync/", views.ItemSyncView.as_view(), name="item-sync"),
    *catalogue_urls.urlpatterns,
    path("items/", views.ItemListView.as_view(), name="item-list"),
    # A SKU may hold a slash.
    path("items/<path:sku>/retry/", views.ItemRetryView.as_view(), name="item-retry"),
    path("items/<path:sku>/", ItemView.as_view(), name="item"),
    path("codes/", list_views.CodeListView.as_view(), name="code-list"),
    path("tax-rates/", list_views.TaxRateListView.as_view(), name="tax-rate-list"),
    path("notices/", list_views.NoticeListView.as_view(), name="notice-list"),
    path("codes/<str:class_id>/", views.CodeClassView.as_view(), name="code-class"),
    path("classifications/", views.ClassificationListView.as_view(), name="classification-list"),
    path("stock/", views.StockView.as_view(), name="stock"),
    path("stock/transfers/", stock_views.TransferView.as_view(), name="stock-transfer"),
    path("stock/reconcile/", stock_views.ReconcileView.as_view(), name="stock-reconcile"),
    path("stock/movements/", views.MovementListView.as_view(), name="movement-list"),
    path(
        "stock/movements/<int:pk>/retry/",
        views.MovementRetryView.as_view(),
        name="movement-retry",
    ),
    *import_urls.urlpatterns,
]
