from django.urls import path

from . import views
from .branding.views import BrandingView, LogoView

urlpatterns = [
    path("company/onboard/", views.OnboardView.as_view(), name="company-onboard"),
    path("company/branding/", BrandingView.as_view(), name="branding"),
    path("company/branding/logo/", LogoView.as_view(), name="branding-logo"),
    path("companies/", views.CompanyListView.as_view(), name="company-list"),
    path("branches/", views.BranchListView.as_view(), name="branch-list"),
    path("tokens/", views.TokenListView.as_view(), name="token-list"),
    path("tokens/<int:pk>/", views.TokenView.as_view(), name="token"),
    path("members/", views.MemberListView.as_view(), name="member-list"),
    path("members/<int:pk>/", views.MemberView.as_view(), name="member"),
]
