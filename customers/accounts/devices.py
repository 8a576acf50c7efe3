"""The devices that people sign in on, recognised by a cookie, to tell them of a new one."""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from customers.access.login_throttle import reported_address
from customers.accounts import notices
from customers.models import KnownDevice

COOKIE = "device"
_SALT = "customers.accounts.devices"
_KEPT_FOR = timedelta(days=365)
_LONGEST_DEVICE = 200


def note_device(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Recognise the device by its cookie, or give it one; tell the person unless it is the account's first."""
    device = _device_of(request) or secrets.token_urlsafe(24)
    hashed = sha256(device.encode()).hexdigest()
    now = timezone.now()
    KnownDevice.objects.filter(user=user, used_at__lt=now - _KEPT_FOR).delete()
    is_first = not KnownDevice.objects.filter(user=user).exists()
    _, is_new = KnownDevice.objects.update_or_create(user=user, device_hash=hashed, defaults={"used_at": now})
    if is_new and not is_first:
        notices.notify(user, "new_device", **description(request))
    response.set_cookie(
        COOKIE,
        signing.dumps(device, salt=_SALT),
        max_age=int(_KEPT_FOR.total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=settings.HTTPS,
        path="/account/",
    )


def description(request: HttpRequest) -> dict[str, str]:
    """Return the address and the browser of a request, for people."""
    return {
        "address": reported_address(request),
        "device": request.META.get("HTTP_USER_AGENT", "")[:_LONGEST_DEVICE] or "unknown",
    }


def _device_of(request: HttpRequest) -> str:
    try:
        device: str = signing.loads(request.COOKIES.get(COOKIE, ""), salt=_SALT)
    except signing.BadSignature:
        return ""
    return device
