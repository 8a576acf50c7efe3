"""The import pages: upload files, see how they are understood, choose columns, store in the background, undo."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.web.pages import list_page, redirect_whole_page
from core.web.versioned_forms import atomic_post, locked_for
from customers.access import actions
from customers.access.audit_actor import stated_reason
from customers.access.lookup import public_id_in
from customers.access.page_principal import needs, page_principal, refuse_unless
from customers.access.principal import Principal
from customers.access.submissions import claim_form
from customers.models import Customer
from ingestion.imports import drafts, undoing, uploads
from ingestion.imports.mappings import ROLES
from ingestion.imports.progress import present_files, progress_of, stored_count
from ingestion.loading.understood_rows import UnderstoodRow
from ingestion.models import FileImport, ImportFile
from ingestion.previews.kept_rows import rejected_outcomes
from ingestion.web.mapping_forms import MappingForm, column_choices, mapping_form, save_columns_and_settings

IMPORTS_A_PAGE = 25
MAX_UNIT_CODE = 100
NO_DRAFT = "No change: it is stored already, or being stored."


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@needs(GET=actions.IMPORT_FILES, POST=actions.IMPORT_FILES)
def imports_page(request: HttpRequest) -> HttpResponse:
    """List the visible imports; POST keeps the uploaded files as a draft and shows how they are understood."""
    principal = page_principal(request)
    customers = Customer.objects.visible_to(principal.scope_of(actions.IMPORT_FILES)).order_by("customer_code")
    problem = ""
    if request.method == "POST":
        try:
            customer = customers.filter(customer_code=request.POST.get("customer", "")).first()
            with transaction.atomic():
                claim_form(request)
                file_import = uploads.create_import(customer, request.FILES.getlist("files"), by=principal.name)
        except uploads.UploadRefused as refused:
            problem = str(refused)
        else:
            return redirect("import", file_import.public_id)
    imports = FileImport.objects.visible_to(principal.scope).select_related("customer")
    counted = imports.annotate(file_count=Count("files"), failed=Count("files", filter=Q(files__state="failed")))
    context = {
        "list": list_page(request, counted.order_by("-created_at", "-pk"), IMPORTS_A_PAGE),
        "customers": customers[:500],
        "selected": request.POST.get("customer") or request.GET.get("customer", ""),
        "problem": problem,
    }
    return render(request, "ingestion/imports.html", context, status=400 if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@needs(GET=actions.IMPORT_FILES, POST=actions.IMPORT_FILES)
@atomic_post
def import_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show an import: a draft with its files' mappings and previews, later its result.

    POST changes the mapping of a file, and of those with the same columns; or stores all files that can be stored.
    """
    principal, file_import = _get_import(request, public_id)
    file_import = locked_for(request, file_import)
    if file_import.state != FileImport.State.DRAFT:
        if request.method == "POST":
            messages.info(request, NO_DRAFT)
            return redirect_whole_page(request, request.path)
        return _result_page(request, principal, file_import)
    file = _chosen_file(request, file_import)
    if request.method != "POST":
        return _draft_page(request, file)
    form = mapping_form(file, drafts.read_head(file), request.POST)
    if not form.is_valid():
        file.refresh_from_db()
        return _draft_page(request, file, form)
    _save(request, form, file)
    if request.POST.get("action") == "store":
        _store(request, file)
        return redirect_whole_page(request, request.path)
    return redirect(f"{request.path}?file={file.public_id}")


@require_POST
@login_required
@needs(POST=actions.IMPORT_FILES)
def change_import(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Remove a file from a draft or discard all, or return an import to its mappings because files failed."""
    _, file_import = _get_import(request, public_id)
    match request.POST.get("action"):
        case "discard":
            is_changed = drafts.discard(file_import)
            messages.success(request, "Import discarded." if is_changed else NO_DRAFT)
        case "remove":
            # A second click must not remove another file.
            file = (
                drafts.files_to_preview(file_import)
                .filter(public_id=public_id_in(request.POST.get("file", "")))
                .first()
            )
            if file is None or not drafts.discard(file_import, file):
                messages.info(request, "No change: the file is stored or removed already.")
        case _:
            if not drafts.correct(file_import):
                messages.info(request, "No change: no file of it failed.")
    exists = FileImport.objects.filter(pk=file_import.pk).exists()
    return redirect("import", public_id) if exists else redirect("imports")


@require_POST
@login_required
@needs(POST=actions.UNDO_IMPORTS)
def undo_import(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Have all readings withdrawn that the import stored, with the reason that the person states."""
    principal, file_import = _get_import(request, public_id)
    refuse_unless(principal.may(actions.UNDO_IMPORTS, file_import.customer_id))
    reason = stated_reason(request)
    if not reason:
        messages.error(request, "State why the import is undone: the reason goes on record.")
    elif not undoing.undo(file_import, by=principal.name, reason=reason):
        messages.info(request, "No change: the import is not stored, or is undone already.")
    return redirect("import", public_id)


@require_safe
@never_cache
@login_required
@needs(GET=actions.IMPORT_FILES)
def import_progress(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Return the part of the page that shows the progress; it reloads the page when the import is done."""
    _, file_import = _get_import(request, public_id)
    context = {
        "import": file_import,
        "progress": progress_of(file_import),
        "files": present_files(file_import),
    }
    response = render(request, "ingestion/_import_progress.html", context)
    if not file_import.is_running:
        response["HX-Refresh"] = "true"
    return response


def _get_import(request: HttpRequest, public_id: UUID) -> tuple[Principal, FileImport]:
    """Return the principal and the import. Raise Http404 if the principal may not see it."""
    principal = page_principal(request)
    visible = FileImport.objects.visible_to(principal.scope_of(actions.IMPORT_FILES)).select_related("customer")
    return principal, get_object_or_404(visible, public_id=public_id)


def _chosen_file(request: HttpRequest, file_import: FileImport) -> ImportFile:
    """Return the file that `file` names, else the first one. Raise Http404 without any.

    Also if what is sent is for a file that was removed meanwhile: it must not change another one.
    """
    files = drafts.files_to_preview(file_import)
    if sent := request.POST.get("file"):
        return get_object_or_404(files, public_id=public_id_in(sent))
    named = files.filter(public_id=public_id_in(request.GET.get("file", "")))
    return get_object_or_404(named if named.exists() else files[:1])


def _draft_page(request: HttpRequest, file: ImportFile, form: MappingForm | None = None) -> HttpResponse:
    preview = drafts.preview_file(file)
    files = list(drafts.files_to_preview(file.file_import).defer("content", "spans"))
    context = {
        "import": file.file_import,
        "files": files,
        "storable_count": sum(not each.error_message for each in files),
        "file": file,
        "same_count": sum(each.header_digest == file.header_digest for each in files) if file.header_digest else 1,
        "preview": preview,
        "form": form or mapping_form(file, preview.head),
        "columns": column_choices(preview.head),
        "roles": ROLES.items(),
        "sample_rows": preview.head.sample_rows,
    }
    return render(request, "ingestion/import.html", context)


def _save(request: HttpRequest, form: MappingForm, file: ImportFile) -> None:
    save_columns_and_settings(form)
    if "unit_code" in request.POST:
        file.unit_code = request.POST["unit_code"].strip()[:MAX_UNIT_CODE]
        file.save(update_fields=["unit_code"])
    drafts.apply_mapping(file)


def _store(request: HttpRequest, file: ImportFile) -> None:
    """Have a draft stored in the background."""
    if not drafts.store(file.file_import):
        messages.info(request, "No change: no file of it can be stored, or it is being stored already.")


def _result_page(request: HttpRequest, principal: Principal, file_import: FileImport) -> HttpResponse:
    files = present_files(file_import)
    rejected = rejected_outcomes(file.delivery for file in files if file.delivery)
    context = {
        "import": file_import,
        "files": files,
        "progress": progress_of(file_import),
        "stored": stored_count(files),
        "understood": [
            (file, [UnderstoodRow.from_json(kept) for kept in file.delivery.understood])
            for file in files
            if file.delivery and file.delivery.understood
        ],
        "rejected": [
            (file, rejected[file.delivery.pk]) for file in files if file.delivery and file.delivery.pk in rejected
        ],
        "failed_count": sum(file.state == ImportFile.State.FAILED for file in files),
        "may_undo": principal.may(actions.UNDO_IMPORTS, file_import.customer_id),
    }
    return render(request, "ingestion/import_result.html", context)
