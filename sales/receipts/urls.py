from django.urls import path

from . import views

urlpatterns = [
    path("invoices/<int:pk>/receipt/", views.ReceiptView.as_view(), name="invoice-receipt"),
    path("invoices/<int:pk>/receipt.<str:suffix>", views.ReceiptFileView.as_view()),
    path("invoices/<int:pk>/receipt/spoiled/", views.SpoiledView.as_view()),
    path("invoices/<int:pk>/prints/", views.PrintsView.as_view()),
    path("sales/proforma/", views.ProformaView.as_view(), name="proforma"),
    path("sales/proforma.<str:suffix>", views.ProformaFileView.as_view()),
]
