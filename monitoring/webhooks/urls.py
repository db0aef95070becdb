from django.urls import path

from . import views

urlpatterns = [
    path("api/events/", views.EventFeedView.as_view(), name="event-feed"),
    path("api/webhooks/", views.WebhookListView.as_view(), name="webhook-list"),
    path("api/webhooks/<int:pk>/", views.WebhookView.as_view(), name="webhook"),
    path(
        "api/webhooks/<int:pk>/rotate-secret/",
        views.RotateSecretView.as_view(),
        name="webhook-rotate-secret",
    ),
    path("api/webhooks/<int:pk>/test/", views.PingView.as_view(), name="webhook-test"),
    path(
        "api/webhooks/<int:pk>/deliveries/",
        views.DeliveryListView.as_view(),
        name="webhook-deliveries",
    ),
    path("api/webhooks/<int:pk>/replay/", views.ReplayView.as_view(), name="webhook-replay"),
]
