from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from two_factor.urls import urlpatterns as account

from sales.pages import OwnCode, ReceiptPage

# What every sale asks for comes first.
urlpatterns = [
    path("api/", include("sales.urls")),
    path("api/", include("items.urls")),
    path("api/", include("purchases.urls")),
    path("api/", include("devices.urls")),
    path("api/", include("companies.urls")),
    path("api/", include("outbox.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("r/<str:token>/", ReceiptPage.as_view(), name="receipt-page"),
    path("r/<str:token>/qr.svg", OwnCode.as_view()),
    path("r/<str:token>/qr.png", OwnCode.as_view(as_png=True)),
    path("", include("monitoring.urls")),
    path("admin/", include(account)),
    path("admin/", admin.site.urls),
]

handler400 = "core.api.bad_request"
handler404 = "core.api.page_not_found"
handler500 = "core.api.server_error"
