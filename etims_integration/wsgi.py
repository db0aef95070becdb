import os

from django.core.wsgi import get_wsgi_application

from monitoring import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "etims_integration.settings")

telemetry.start()
application = get_wsgi_application()
