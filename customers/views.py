"""Signing in and out, and changing one's password: Django's own views with our pages."""

from __future__ import annotations

from django.contrib.auth import views as auth_views
from django.urls import reverse_lazy


class SignIn(auth_views.LoginView):
    template_name = "account/sign_in.html"
    redirect_authenticated_user = True


class SignOut(auth_views.LogoutView):
    """By POST only; then on to the sign-in page."""


class PasswordChange(auth_views.PasswordChangeView):
    template_name = "account/password_change.html"
    success_url = reverse_lazy("password-change-done")


class PasswordChangeDone(auth_views.PasswordChangeDoneView):
    template_name = "account/password_change_done.html"
