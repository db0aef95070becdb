from django.urls import path

from . import views
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
    path("codes/<str:class_id>/", views.CodeClassView.as_view(), name="code-class"),
    path("classifications/", views.ClassificationListView.as_view(), name="classification-list"),
    path("stock/", views.StockView.as_view(), name="stock"),
    path("stock/movements/", views.MovementListView.as_view(), name="movement-list"),
    path(
        "stock/movements/<int:pk>/retry/",
        views.MovementRetryView.as_view(),
        name="movement-retry",
    ),
    *import_urls.urlpatterns,
]
