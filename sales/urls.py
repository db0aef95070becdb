from django.urls import path

from . import views
from .receipts import urls as receipts
from .reconciliation import views as books
from .registers import urls as registers
from .reports import urls as reports

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
    *receipts.urlpatterns,
    path("reconciliations/", books.ReconciliationListView.as_view(), name="reconciliations"),
    path("reconciliations/month/", books.MonthView.as_view(), name="reconciliation-month"),
    path("reconciliations/<int:pk>/", books.ReconciliationView.as_view(), name="reconciliation"),
    path(
        "reconciliations/<int:pk>/differences/<int:number>/look-again/",
        books.LookAgainView.as_view(),
        name="difference-look-again",
    ),
    path(
        "reconciliations/<int:pk>/differences/<int:number>/adopt/",
        books.AdoptView.as_view(),
        name="difference-adopt",
    ),
    path(
        "reconciliations/<int:pk>/differences/<int:number>/explain/",
        books.ExplainView.as_view(),
        name="difference-explain",
    ),
    *registers.urlpatterns,
    *reports.urlpatterns,
]
