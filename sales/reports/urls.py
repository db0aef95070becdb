from django.urls import path

from . import views

urlpatterns = [
    path("reports/x/", views.XView.as_view(), name="report-x"),
    path("reports/z/", views.ZListView.as_view(), name="report-z-list"),
    path("reports/z/<int:pk>/", views.ZView.as_view(), name="report-z"),
    path("reports/plu/", views.PluView.as_view(), name="report-plu"),
    path("reports/vat/", views.VatView.as_view(), name="report-vat"),
    path("reports/payments/", views.PaymentsView.as_view(), name="report-payments"),
]
