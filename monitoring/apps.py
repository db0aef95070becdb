from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class MonitoringConfig(AppConfig):
    name = "monitoring"
    default = True


class Admin(admin_apps.AdminConfig):
    """Django's admin on our own site (admin_site.py). Named in INSTALLED_APPS, never found."""

    default = False
    default_site = "monitoring.admin_site.Site"
