from django.urls import path

from . import views

# Before the address of one item, whose SKU may hold a slash.
urlpatterns = [
    path("item/import/", views.ItemImportView.as_view(), name="item-import"),
    path("item/defaults/", views.ItemDefaultsView.as_view(), name="item-defaults"),
    path("items/not-ready/", views.NotReadyView.as_view(), name="item-not-ready"),
    path("items/reconcile/", views.ReconcileView.as_view(), name="item-reconcile"),
    path("items/<path:sku>/composition/", views.CompositionView.as_view(), name="composition"),
    path(
        "classifications/suggest/",
        views.SuggestClassificationView.as_view(),
        name="classification-suggest",
    ),
]
