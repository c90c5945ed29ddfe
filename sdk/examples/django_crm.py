"""Every call as a row of the CRM's own table (Django, in one file).

CRM_TOKEN=TOKEN python django_crm.py
vpbx crm set acme.example --url http://127.0.0.1:8001/pbx --token TOKEN
"""

import os
from wsgiref.simple_server import make_server

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ.get("CRM_DATABASE", "calls.sqlite3"),
        }
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.urandom(32).hex(),
    USE_TZ=True,
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

from vpbx_sdk import History, Rating, Receiver  # noqa: E402

receiver = Receiver(os.environ["CRM_TOKEN"])


class Call(models.Model):
    callid = models.CharField(primary_key=True, max_length=20)
    phone = models.CharField(max_length=128)
    user = models.CharField(max_length=100)
    status = models.CharField(max_length=20)
    start = models.DateTimeField(null=True)
    seconds = models.IntegerField(default=0)
    record = models.TextField(default="")
    rating = models.IntegerField(null=True)

    class Meta:
        app_label = "crm"


@receiver.on_history
def over(call: History) -> None:
    """Each call once, however often it is told: an exception here, and it is told again."""
    values = {"phone": call.phone, "user": call.user, "status": call.status}
    values |= {"start": call.start, "seconds": call.duration, "record": call.link}
    Call.objects.update_or_create(callid=call.callid, defaults=values)


@receiver.on_rating
def rated(rating: Rating) -> None:
    Call.objects.filter(callid=rating.callid).update(rating=rating.rating)


@csrf_exempt  # the token says that it is the PBX
def pbx(request: HttpRequest) -> JsonResponse:
    status, answer = receiver.handle(request.content_type, request.body, request.headers)
    return JsonResponse(answer, status=status)


def calls(request: HttpRequest) -> JsonResponse:
    return JsonResponse(list(Call.objects.order_by("-start").values()[:100]), safe=False)


urlpatterns = [path("pbx", pbx), path("calls", calls)]

if __name__ == "__main__":
    if Call._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Call)
    make_server("", int(os.environ.get("PORT", "8001")), get_wsgi_application()).serve_forever()
