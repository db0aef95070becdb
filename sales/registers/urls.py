from django.urls import path

from . import views

urlpatterns = [
    path("customers/", views.CustomerListView.as_view(), name="customer-list"),
    path("customers/lookup/", views.PinLookupView.as_view(), name="pin-lookup"),
    path("customers/<int:pk>/", views.CustomerView.as_view(), name="customer"),
    path("customers/<int:pk>/retry/", views.CustomerRetryView.as_view(), name="customer-retry"),
    path("branch-users/", views.BranchUserListView.as_view(), name="branch-user-list"),
    path("branch-users/<int:pk>/", views.BranchUserView.as_view(), name="branch-user"),
    path(
        "branch-users/<int:pk>/retry/",
        views.BranchUserRetryView.as_view(),
        name="branch-user-retry",
    ),
    path("insurances/", views.InsuranceListView.as_view(), name="insurance-list"),
    path("insurances/<int:pk>/", views.InsuranceView.as_view(), name="insurance"),
    path("insurances/<int:pk>/retry/", views.InsuranceRetryView.as_view(), name="insurance-retry"),
]
