"""Django's ORM over psycopg 2, without a project around it."""
import django
from django.conf import settings
from guest import DATABASE, HOST, PASSWORD, PORT, USER, WRONG, play

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "HOST": HOST, "PORT": PORT, "USER": USER,
                           "PASSWORD": PASSWORD, "NAME": DATABASE}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField", USE_TZ=True, TIME_ZONE="Europe/Bucharest")
django.setup()

from django.db import DatabaseError, connection, models, transaction  # noqa: E402
from django.db.models import Count, F, Sum  # noqa: E402


class Item(models.Model):
    name = models.TextField()
    price = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        app_label = "guest"
        db_table = "item"
        managed = False


class Note(models.Model):
    id = models.IntegerField(primary_key=True)
    body = models.TextField(null=True)
    item = models.ForeignKey(Item, models.CASCADE, null=True)

    class Meta:
        app_label = "guest"
        db_table = "note"
        managed = False


def types():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1, 2.5::numeric, 'x', ARRAY[1,2], '2024-02-29'::date, '2024-02-29 12:00+00'::timestamptz, NULL")
        print(repr(cursor.fetchone()))
        cursor.execute("SHOW TimeZone")
        print(cursor.fetchone())


def parameters():
    print(list(Item.objects.filter(id__in=[1, 5, 999]).order_by("id").values_list("id", "name", "price")))
    print(Item.objects.filter(name__startswith="item 1").aggregate(total=Sum("price"), many=Count("id")))
    print(Item.objects.get(pk=7).name, Item.objects.filter(pk=-1).exists())


def transactions():
    with transaction.atomic():
        Note.objects.bulk_create([Note(id=n, body=f"n{n}", item_id=n) for n in (1, 2, 3)])
        Note.objects.filter(id=1).update(item_id=F("item_id") + 10)
    with transaction.atomic():
        print([(note.id, note.item.name) for note in Note.objects.select_related("item").order_by("id")])
    try:
        with transaction.atomic():
            Note.objects.all().delete()
            raise ValueError("given up")
    except ValueError as cause:
        print(cause)
    with transaction.atomic():
        print(Note.objects.select_for_update().order_by("id").count())
        print(Note.objects.all().delete())


def savepoints():
    with transaction.atomic():
        for id in (1, 1, 2):
            try:
                with transaction.atomic():
                    Note.objects.create(id=id)
            except DatabaseError as cause:
                print(type(cause).__name__, cause.__cause__.pgcode)
        print(list(Note.objects.order_by("id").values_list("id", flat=True)))
        transaction.set_rollback(True)


def cursors():
    print(sum(item.id for item in Item.objects.order_by("id").iterator(chunk_size=100)))


def errors():
    for wrong in WRONG:
        try:
            with connection.cursor() as cursor:
                cursor.execute(wrong)
        except DatabaseError as cause:
            print(type(cause).__name__, cause.__cause__.pgcode, str(cause).strip())
    with transaction.atomic():
        print(Item.objects.count())


play({"types": types, "parameters": parameters, "transactions": transactions, "savepoints": savepoints,
      "cursors": cursors, "errors": errors})
