"""The views beside this file, behind the product's own handlers."""

from django.urls import path

from .views import BasketView, FailView, RowListView, SmallView, WordlessListView

urlpatterns = [
    path("small/", SmallView.as_view()),
    path("rows/", RowListView.as_view()),
    path("wordless/", WordlessListView.as_view()),
    path("fail/<str:name>/", FailView.as_view()),
    path("basket/", BasketView.as_view()),
]

handler400 = "core.api.bad_request"
handler404 = "core.api.page_not_found"
handler500 = "core.api.server_error"
