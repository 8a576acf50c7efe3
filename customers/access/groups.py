"""The two groups of staff that ship with the system, kept in line with the models by every `migrate`.

*Support* views everything, *Administrators* may do everything; what a superuser alone may do, such as making others
superusers, is decided in the admin. Other combinations are groups of the operator's own, which are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db import models
from django.db.models import F, Value
from django.db.models.functions import Concat

# Django's own bookkeeping, which nobody needs to see.
_INTERNAL_APPS = {"contenttypes", "sessions"}


def all_permissions() -> Iterator[str]:
    """Yield every model permission as "app.codename"."""
    for model in apps.get_models():
        options = model._meta
        if options.app_label not in _INTERNAL_APPS:
            yield from (f"{options.app_label}.{action}_{options.model_name}" for action in options.default_permissions)
            yield from (f"{options.app_label}.{codename}" for codename, _ in options.permissions)


def is_of_support(permission: str) -> bool:
    """Return whether *Support* has it: whatever lets people view."""
    return permission.partition(".")[2].startswith("view_")


GROUPS: dict[str, Callable[[str], bool]] = {"Support": is_of_support, "Administrators": lambda permission: True}


def permissions_of_group(name: str) -> frozenset[str]:
    """Return the permissions of a shipped group."""
    return frozenset(filter(GROUPS[name], all_permissions()))


def ensure_groups(using: str, **_: object) -> None:
    """Create the groups, and give them exactly their permissions. A receiver of `post_migrate`."""
    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0, using=using)
    full_name = Concat(F("content_type__app_label"), Value("."), F("codename"), output_field=models.CharField())
    ids_by_name = dict(Permission.objects.using(using).annotate(full_name=full_name).values_list("full_name", "pk"))
    for name in GROUPS:
        group, _is_new = Group.objects.using(using).get_or_create(name=name)
        group.permissions.set(ids_by_name[each] for each in permissions_of_group(name))


def connect(config: AppConfig) -> None:
    """Have the groups ensured after the migrations of this app."""
    models.signals.post_migrate.connect(ensure_groups, sender=config)
