"""Building blocks of the admin: badges for states, and lists that stay fast when tables are large."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import PROTECT, Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from core.web.pages import BoundedPaginator
from core.web.versioned_forms import VersionedForm

M = TypeVar("M", bound=models.Model)

VERSION = VersionedForm.VERSION
Tone = Literal["good", "warning", "bad", "neutral"]


def badge(text: str, tone: Tone, title: str = "") -> SafeString:
    """Return a coloured label; the text states the status, `title` is a tooltip."""
    return format_html('<span class="badge badge-{}" title="{}">{}</span>', tone, title, text)


def instant_text(instant: datetime | None) -> str:
    """Format an instant to the second in UTC: two deliveries may share a minute."""
    return f"{instant:%Y-%m-%d %H:%M:%S}" if instant else "–"


def list_link(model: type[models.Model], text: object, **filters: object) -> SafeString:
    """Return a link to the admin's filtered list of `model`."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return format_html('<a href="{}?{}">{}</a>', url, urlencode(filters), text)


def count_of(model: type[models.Model], way: str, condition: Q | None = None) -> Coalesce:
    """Return a subquery that counts the rows of `model` that refer to a row by `way`."""
    counted = model._base_manager.filter(condition or Q(), **{way: OuterRef("pk")}).order_by().values(way)
    return Coalesce(Subquery(counted.annotate(n=Count("*")).values("n")), 0)


class VersionedAdmin(admin.ModelAdmin[M]):
    """An admin page with a form that shows what others changed since it was opened; it is compared under a lock."""

    form: type[forms.ModelForm[M]] = VersionedForm

    @override
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        with transaction.atomic():
            if request.method == "POST":
                self.lock(request, None if object_id is None else unquote(object_id))
            return super().changeform_view(request, object_id, form_url, extra_context)

    def lock(self, request: HttpRequest, object_id: str | None) -> None:
        """Lock the object that is about to be changed, None if one is added, until the end of the transaction."""
        try:
            key = self.model._meta.pk.to_python(object_id)
        except ValidationError:
            return  # there is no such object, which the view says
        list(self.model._base_manager.select_for_update(no_key=True).filter(pk=key).values_list("pk"))

    @override
    def get_fieldsets(self, request: HttpRequest, obj: M | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not self.has_change_permission(request, obj) or VERSION in flatten_fieldsets(fieldsets):
            return fieldsets
        return [*fieldsets, (None, {"fields": [VERSION], "classes": ["version"]})]


class ReadOnlyAdmin(admin.ModelAdmin[M]):
    """Rows that the system writes and people only view."""

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class BigTableAdmin(ReadOnlyAdmin[M]):
    """Rows of a table that keeps growing."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50


class DeletesOnlyUnused(BaseModelAdmin[M]):
    """Allow deleting rows one at a time, and only while nothing that must be kept refers to them.

    Without this the admin would load every delivery and reading of a customer to list what protects it.
    """

    @override
    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return obj is not None and super().has_delete_permission(request, obj) and not is_used(obj)


def is_used(row: models.Model) -> bool:
    """Return whether a row refers to `row` in a way that protects it from deletion."""
    return any(
        relation.related_model._base_manager.filter(**{relation.field.name: row}).exists()
        for relation in row._meta.related_objects
        if relation.on_delete is PROTECT
    )


class FewRelatedFilter(admin.RelatedFieldListFilter):
    """Filter by a related row if there are few to choose from; otherwise the search finds them."""

    FEW = 40

    @override
    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        rows = field.related_model._default_manager.order_by(*self.field_admin_ordering(field, request, model_admin))
        choices: list[tuple[Any, Any]] = [(row.pk, str(row)) for row in rows[: self.FEW + 1]]
        return choices if len(choices) <= self.FEW else []

    @override
    def has_output(self) -> bool:
        # A filter without output is not applied, and links from other lists would show everything.
        return super().has_output() or bool(self.used_parameters)


class SinceFilter(admin.SimpleListFilter):
    """Filter by the last hour, day, week or month; subclasses name the field."""

    field_name: str
    SPANS = {
        "hour": timedelta(hours=1),
        "day": timedelta(days=1),
        "week": timedelta(days=7),
        "month": timedelta(days=31),
    }

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, f"the last {name}") for name in self.SPANS]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        span = self.SPANS.get(self.value() or "")
        return queryset if span is None else queryset.filter(**{f"{self.field_name}__gte": timezone.now() - span})


class WaitingFilter(admin.SimpleListFilter):
    """Filter by state, by default the rows waiting for a person."""

    title = "state"
    parameter_name = "state"
    WAITING = "waiting"
    ALL = "all"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [*model_admin.model.State.choices, (self.ALL, "all")]

    @override
    def choices(self, changelist: Any) -> Any:
        for value, title in self.lookup_choices:
            yield {
                "selected": value == (self.value() or self.WAITING),
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": title,
            }

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        state = self.value() or self.WAITING
        return queryset if state == self.ALL else queryset.filter(state=state)
