from django.urls import path

from . import views
from .registers import urls as registers

urlpatterns = [
    path("sales/", views.SaleView.as_view(), name="sale"),
    path("sales/preview/", views.PreviewView.as_view(), name="sale-preview"),
    path("sales/bulk/", views.BulkView.as_view(), name="sale-bulk"),
    path("credit-notes/", views.CreditNoteView.as_view(), name="credit-note"),
    path("invoices/", views.InvoiceListView.as_view(), name="invoice-list"),
    path("invoices/<int:pk>/", views.InvoiceView.as_view(), name="invoice"),
    path("invoices/<int:pk>/correct/", views.CorrectView.as_view(), name="invoice-correct"),
    path("invoices/<int:pk>/void/", views.VoidView.as_view(), name="invoice-void"),
    path("invoices/<int:pk>/retry/", views.RetryView.as_view(), name="invoice-retry"),
    path("invoices/<int:pk>/receipt/", views.ReceiptView.as_view(), name="invoice-receipt"),
    *registers.urlpatterns,
]
