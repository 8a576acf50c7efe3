"""The admin's forms: what others changed since a form was opened is shown before it is replaced."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db import models
from django.test import Client, RequestFactory
from django.urls import reverse

from alarms.models import CustomerLimits, LimitProfile, MaintenanceWindow, UnitLimits
from core.web.admin import VersionedAdmin
from customers.models import Membership
from ingestion.models import SourceSchedule
from tests.alarm_factories import LimitProfileFactory, MaintenanceWindowFactory
from tests.factories import (
    CustomerFactory,
    MembershipFactory,
    SourceFactory,
    StaffFactory,
    StorageUnitFactory,
    UserFactory,
    make_token,
)
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db
OUR_APPS = ("customers", "readings", "alarms", "ingestion", "auth")
# Django's own page of groups.
NOT_OURS = ("auth.Group",)

# For each form of the admin: a field, what somebody else stores, and what is entered.
CHANGES: dict[str, tuple[str, object, object]] = {
    "customers.Customer": ("name", "Ice & Co", "Snow & Co"),
    "customers.Facility": ("city", "Bergen", "Oslo"),
    "customers.Membership": ("role", Membership.Role.MANAGER, Membership.Role.OPERATOR),
    "customers.ApiToken": ("rate_limit_per_hour", 20, 30),
    "customers.StorageUnit": ("name", "Freezer", "Chiller"),
    "auth.User": ("last_name", "Berg", "Holm"),
    "alarms.LimitProfile": ("high_warning_c", 8.5, 9.5),
    "alarms.UnitLimits": ("high_warning_c", 25.0, 30.0),
    "alarms.MaintenanceWindow": ("reason", "Defrosting", "Cleaning"),
    "ingestion.Source": ("overlap_seconds", 200, 300),
    "ingestion.SourceSchedule": ("interval_seconds", 200, 300),
}


def editable() -> dict[str, ModelAdmin[Any]]:
    """Return the admin pages on which a superuser changes objects, by model."""
    request = RequestFactory().get("/")
    request.user = StaffFactory()
    found = {}
    for model, page in admin.site._registry.items():
        label = model._meta.label
        if model._meta.app_label not in OUR_APPS or label in NOT_OURS or not page.has_change_permission(request):
            continue
        if page.get_form(request, model(), change=True).base_fields:
            found[label] = page
    return found


def rows() -> dict[str, models.Model]:
    unit = StorageUnitFactory()
    profile = LimitProfileFactory()
    customer = unit.facility.customer
    source = SourceFactory(customer=customer)
    return {
        "customers.Customer": customer,
        "customers.Facility": unit.facility,
        "customers.Membership": MembershipFactory(customer=customer),
        "customers.ApiToken": make_token(customer)[0],
        "customers.StorageUnit": unit,
        "auth.User": UserFactory(),
        "alarms.LimitProfile": profile,
        "alarms.UnitLimits": UnitLimits.objects.create(storage_unit=unit, high_warning_c=20.0),
        "alarms.CustomerLimits": CustomerLimits.objects.get(customer=customer),
        "alarms.MaintenanceWindow": MaintenanceWindowFactory(customer=customer),
        "ingestion.Source": source,
        "ingestion.SourceSchedule": SourceSchedule.objects.get(pk=source.pk),
    }


def opened(page: PageResponse) -> dict[str, Any]:
    """Return what a browser would send for the page's form as it was opened."""
    data: dict[str, Any] = {}
    for field in page.context["adminform"].form:
        value, widget = field.value(), field.field.widget
        if isinstance(widget, forms.MultiWidget):
            parts: list[Any] = value if isinstance(value, list) else widget.decompress(value) or []
            data |= {f"{field.html_name}_{n}": part or "" for n, part in enumerate(parts)}
        elif value is not None and value is not False:
            data[field.html_name] = value
    for formset in page.context["inline_admin_formsets"]:
        management = formset.formset.management_form
        data |= {each.html_name: each.value() for each in management}
        for inline in formset.formset.forms:
            data |= {each.html_name: each.value() for each in inline if each.value() is not None}
    return data


def test_every_form_of_the_admin_is_versioned() -> None:
    pages = editable()
    assert [name for name, page in pages.items() if not isinstance(page, VersionedAdmin)] == []
    assert pages.keys() == CHANGES.keys() | {"alarms.CustomerLimits"}


def test_what_others_changed_meanwhile_is_shown_before_it_is_replaced() -> None:
    client, stored = Client(), rows()
    client.force_login(StaffFactory())
    profiles = LimitProfile.objects.values_list("pk", flat=True).order_by("pk")
    changes = CHANGES | {"alarms.CustomerLimits": ("profile_id", profiles[0], profiles[1])}
    for name, (field, by_others, entered) in changes.items():
        row = stored[name]
        url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        page = client.get(url)
        data = opened(page)
        type(row)._base_manager.filter(pk=row.pk).update(**{field: by_others})
        sent = data | {field.removesuffix("_id"): entered}

        refused = client.post(url, sent)

        assert refused.status_code == 200, name
        assert "Changed meanwhile by somebody else" in refused.content.decode(), (name, errors(refused))
        row.refresh_from_db()
        assert getattr(row, field) == by_others, name
        again = client.post(url, opened(refused))

        row.refresh_from_db()
        assert (again.status_code, getattr(row, field)) == (302, entered), name


def test_every_form_that_adds_an_object_is_carried_out_once() -> None:
    client, request = Client(), RequestFactory().get("/")
    request.user = staff = StaffFactory()
    client.force_login(staff)
    without_key = []
    for model, page in admin.site._registry.items():
        if page.has_add_permission(request):
            url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
            if 'name="submission"' not in client.get(url).content.decode():
                without_key.append(model._meta.label)
    assert without_key == []


def test_a_form_that_is_submitted_twice_adds_one_object() -> None:
    client, customer = Client(), CustomerFactory()
    client.force_login(StaffFactory())
    url = reverse("admin:alarms_maintenancewindow_add")
    key = client.get(url).content.decode().split('name="submission" value="')[1].split('"')[0]
    window = {"customer": customer.pk, "reason": "Defrosting", "submission": key}
    times = {f"{name}_{n}": text for name in ("starts_at", "ends_at") for n, text in enumerate(("2026-12-01", "10:00"))}

    invalid = client.post(url, window)
    first, second = (client.post(url, window | times | {"ends_at_1": "12:00"}) for _ in range(2))

    assert (invalid.status_code, first.status_code, second.status_code) == (200, 302, 302)
    assert second.headers["Location"] == "../", "the list"
    assert MaintenanceWindow.objects.count() == 1


def errors(page: PageResponse) -> object:
    """Return the errors of the page's form."""
    return page.context["adminform"].form.errors
