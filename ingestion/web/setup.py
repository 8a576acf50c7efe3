"""The guided setup of a customer and its source: customer, connection, data, schedule, storage units.

Each step saves what was entered, in a source that is paused until the last step, so that a person can leave, return and
go back. Managers set up sources of their own customers, staff with the permissions those of all and new customers.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from alarms.limits.versions import default_profile
from alarms.models import LimitProfile
from core.web.pages import redirect_whole_page
from core.web.versioned_forms import locked_for
from customers.access import actions
from customers.access.page_principal import needs, page_principal, refuse_unless
from customers.access.principal import Principal
from customers.access.submissions import claim_form
from customers.models import Customer
from ingestion import guided_setup
from ingestion.imports.mappings import ROLES
from ingestion.models import Source, SourceSetup
from ingestion.previews.results import Preview
from ingestion.sources import SettingError
from ingestion.web.mapping_forms import column_choices, mapping_form, save_columns_and_settings
from ingestion.web.setup_forms import ConnectionForm, CustomerForm, ScheduleForm

GET_OR_POST = ["GET", "HEAD", "POST"]
Step = SourceSetup.Step
PROFILE = "profile-"


@require_http_methods(GET_OR_POST)
@never_cache
@login_required
@needs(GET=actions.ADD_SOURCES, POST=actions.ADD_SOURCES)
def start_page(request: HttpRequest) -> HttpResponse:
    """Choose the customer of a new source, or add one; list unfinished setups."""
    principal = page_principal(request)
    may_add = not principal.scope_of(actions.ADD_CUSTOMERS).is_empty
    customers = Customer.objects.visible_to(principal.scope).order_by("customer_code")
    is_new = request.method == "POST" and "new" in request.POST
    form = CustomerForm(request.POST if is_new else None)
    problem = ""
    if request.method == "POST":
        refuse_unless(may_add or not is_new)
        customer = customers.filter(customer_code=request.POST.get("customer", "")).first() if not is_new else None
        if form.is_valid() if is_new else customer is not None:
            with transaction.atomic():
                claim_form(request)
                setup = SourceSetup.objects.create(customer=customer or form.save(), created_by=principal.name)
            return redirect("setup-step", setup.public_id, Step.CONNECTION)
        problem = "" if is_new else "Choose a customer from the list."
    context = {
        "customers": customers[:500],
        "may_add": may_add,
        "form": form,
        "problem": problem,
        "setups": SourceSetup.objects.visible_to(principal.scope).select_related("customer", "source")[:20],
    }
    return render(request, "ingestion/setup_start.html", context)


@require_http_methods(GET_OR_POST)
@never_cache
@login_required
@needs(GET=actions.ADD_SOURCES, POST=actions.ADD_SOURCES)
def step_page(request: HttpRequest, public_id: UUID, step: str) -> HttpResponse:
    """Show a step of a setup; POST saves it and leads to the next one."""
    principal, setup = _get_setup(request, public_id)
    if step not in Step.values:
        raise Http404
    if not setup.has_reached(step):
        return redirect("setup-step", setup.public_id, setup.step)
    if step == Step.CONNECTION or setup.source is None:
        return _connection(request, setup)
    if step == Step.DATA:
        return _data(request, setup, setup.source)
    if step == Step.SCHEDULE:
        return _schedule(request, setup, setup.source)
    return _units(request, principal, setup, setup.source)


@require_POST
@login_required
@needs(POST=actions.ADD_SOURCES)
def discard_setup(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Discard a setup with its source, which was never polled."""
    _, setup = _get_setup(request, public_id)
    with transaction.atomic():
        # A connection that is saved at the same moment adds the source.
        setup = locked_for(request, setup)
        source = setup.source
        setup.delete()
        if source is not None and not source.deliveries.exists():
            source.delete()
    messages.success(request, "Setup discarded.")
    return redirect("setup")


def _connection(request: HttpRequest, setup: SourceSetup) -> HttpResponse:
    with transaction.atomic():
        setup = locked_for(request, setup)
        source = locked_for(request, setup.source or Source(customer=setup.customer, is_paused=True))
        form = ConnectionForm(request.POST or None, instance=source)
        is_saved = request.method == "POST" and form.is_valid()
        if is_saved:
            claim_form(request)
            _save_connection(setup, source)
    if is_saved:
        guided_setup.test_source(setup, source)
        return redirect("setup-step", setup.public_id, Step.DATA)
    return _render(request, setup, Step.CONNECTION, form=form)


def _save_connection(setup: SourceSetup, source: Source) -> None:
    source.save()
    setup.source = source
    setup.reach(Step.DATA)
    setup.save()


def _data(request: HttpRequest, setup: SourceSetup, source: Source) -> HttpResponse:
    if request.POST.get("action") == "test":
        guided_setup.test_source(setup, source)
        return redirect_whole_page(request, request.path)
    preview, problem = _preview(setup, source)
    form = mapping_form(source, preview.head)
    if request.method == "POST":
        with transaction.atomic():
            locked_for(request, setup)
            form = mapping_form(locked_for(request, source), preview.head, request.POST)
            is_saved = form.is_valid()
            if is_saved:
                save_columns_and_settings(form)
        source.refresh_from_db()
        if is_saved:
            if request.POST.get("action") != "continue":
                return redirect("setup-step", setup.public_id, Step.DATA)
            preview, problem = _preview(setup, source)
            if preview.is_readable and preview.reading_count:
                setup.reach(Step.SCHEDULE)
                SourceSetup.objects.filter(pk=setup.pk).update(step=setup.step)
                return redirect_whole_page(request, reverse("setup-step", args=[setup.public_id, Step.SCHEDULE]))
            problem = problem or "No row is a reading yet. Choose what the columns hold, or correct the URL."
            form = mapping_form(source, preview.head)
    return _render(
        request,
        setup,
        Step.DATA,
        form=form,
        preview=preview,
        problem=problem,
        columns=column_choices(preview.head),
        roles=ROLES.items(),
        sample_rows=preview.head.sample_rows,
    )


def _schedule(request: HttpRequest, setup: SourceSetup, source: Source) -> HttpResponse:
    with transaction.atomic():
        setup = locked_for(request, setup)
        source = locked_for(request, source)
        form = ScheduleForm(request.POST or None, instance=source)
        if request.method == "POST" and form.is_valid():
            source.save(update_fields=[*form.cleaned_data, "updated_at"])
            setup.reach(Step.UNITS)
            setup.save(update_fields=["step"])
            return redirect("setup-step", setup.public_id, Step.UNITS)
    return _render(request, setup, Step.SCHEDULE, form=form)


def _units(request: HttpRequest, principal: Principal, setup: SourceSetup, source: Source) -> HttpResponse:
    preview, problem = _preview(setup, source)
    may_choose = principal.may(actions.CHANGE_LIMITS, setup.customer_id)
    if request.method == "POST" and preview.is_readable:
        chosen = _chosen_profiles(request, preview.unit_codes) if may_choose else {}
        with transaction.atomic():
            # One that is discarded at the same moment registers nothing.
            setup = locked_for(request, setup)
            count = guided_setup.finish(setup, locked_for(request, source), chosen)
        messages.success(request, f"{source.name} is set up with {count} storage units. Polling starts within seconds.")
        return redirect("source", source.public_id)
    return _render(
        request,
        setup,
        Step.UNITS,
        preview=preview,
        problem=problem,
        units=[(code, f"{PROFILE}{number}") for number, code in enumerate(preview.unit_codes)],
        profiles=LimitProfile.objects.order_by("name"),
        default_profile=default_profile(),
        may_choose=may_choose,
    )


def _chosen_profiles(request: HttpRequest, unit_codes: list[str]) -> dict[str, LimitProfile]:
    """Return the profiles that the form chooses, by unit code; "all" is for units without a choice of their own."""
    by_id = {str(profile.public_id): profile for profile in LimitProfile.objects.all()}
    for_all = by_id.get(request.POST.get(f"{PROFILE}all", ""))
    chosen = {code: by_id.get(request.POST.get(f"{PROFILE}{n}", ""), for_all) for n, code in enumerate(unit_codes)}
    return {code: profile for code, profile in chosen.items() if profile is not None}


def _preview(setup: SourceSetup, source: Source) -> tuple[Preview, str]:
    """Return how the tested response is understood, and what is wrong with the mapping."""
    try:
        return guided_setup.preview_sample(setup, source), ""
    except SettingError as error:
        return Preview(error_reason="source_settings", error_message=str(error)), str(error)


def _get_setup(request: HttpRequest, public_id: UUID) -> tuple[Principal, SourceSetup]:
    """Return the principal and the setup. Raise Http404 if the principal may not see it."""
    principal = page_principal(request)
    visible = SourceSetup.objects.visible_to(principal.scope_of(actions.ADD_SOURCES))
    return principal, get_object_or_404(visible.select_related("customer", "source__customer"), public_id=public_id)


def _render(request: HttpRequest, setup: SourceSetup, step: SourceSetup.Step, **context: object) -> HttpResponse:
    order = list(Step)
    position = order.index(step)
    shared = {
        "setup": setup,
        "step": step,
        "steps": [(each, setup.has_reached(each)) for each in order],
        "previous": order[position - 1] if position else None,
        "now": timezone.now(),
    }
    return render(request, f"ingestion/setup_{step.value}.html", shared | context)
