"""Signing in and out, and changing the password: Django's views with templates of this project."""

from __future__ import annotations

from datetime import timedelta

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django.views.generic import FormView
from typing_extensions import override

from customers.access.login_throttle import SignInAttempt, client_address, count_mail
from customers.access.page_principal import page_principal, refuse_unless
from customers.access.principal import Principal
from customers.access.token_sessions import sign_in_with
from customers.accounts.mail import has_mail_server
from customers.accounts.password_links import password_link_generator, people_with_address
from customers.accounts.sessions import end_other_sessions, end_session, session_key_changed, sessions_of
from customers.accounts.sign_in_events import record_token_sign_in
from customers.tasks import send_password_links
from customers.web.forms import AddressForm, ChangedPasswordForm, NewPasswordForm, SignInForm

# Of the ids of sessions: Python converts no text of more than some thousand digits.
MAX_ID_DIGITS = 18


class SignIn(auth_views.LoginView):
    """Sign in with name and password, or customer code and token. Responds with 429 after too many attempts."""

    template_name = "account/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    @override
    def post(self, request: HttpRequest, *args: str, **kwargs: object) -> HttpResponse:
        self.attempt = SignInAttempt.of(request, request.POST.get("username", ""))
        wait = self.attempt.count(timezone.now())
        return super().post(request, *args, **kwargs) if wait is None else too_many_requests(request, wait)

    @override
    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        token = form.token if isinstance(form, SignInForm) else None
        if token is None:
            user = form.get_user()
            login = Login(user=user, redirect_url=self.get_success_url())
            # Asks for the second factor first, if the person has one.
            return perform_password_login(self.request, {"username": user.get_username()}, login)
        self.attempt.succeeded(timezone.now())
        sign_in_with(self.request, token)
        record_token_sign_in(token)
        return HttpResponseRedirect(self.get_success_url())

    @override
    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        return {
            **super().get_context_data(**kwargs),
            "provider_query": urlencode({"next": self.get_redirect_url()}),
        }


class SignOut(auth_views.LogoutView):
    """Sign out, by POST only."""


class PasswordChange(auth_views.PasswordChangeView):
    """Change the password, for people: a token has none."""

    template_name = "account/password_change.html"
    form_class = ChangedPasswordForm
    success_url = reverse_lazy("password-change-done")

    @override
    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.user.is_authenticated:
            principal: Principal = page_principal(request)
            refuse_unless(principal.user is not None)
        return super().dispatch(request, *args, **kwargs)

    @override
    def post(self, request: HttpRequest, *args: str, **kwargs: object) -> HttpResponse:
        # Whoever finds a signed-in browser must not guess the current password here.
        self.attempt = SignInAttempt.of(request, request.user.get_username())
        wait = self.attempt.count(timezone.now())
        return super().post(request, *args, **kwargs) if wait is None else too_many_requests(request, wait)

    @override
    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        self.attempt.succeeded(timezone.now())
        response = super().form_valid(form)
        session_key_changed(self.request, form.user)
        return response


class PasswordChangeDone(auth_views.PasswordChangeDoneView):
    """Confirm the change."""

    template_name = "account/password_change_done.html"


class PasswordSet(auth_views.PasswordResetConfirmView):
    """Set a password with a one-time link, then sign in with it: the link must not replace a second factor."""

    template_name = "account/password_set.html"
    form_class = NewPasswordForm
    token_generator = password_link_generator
    success_url = reverse_lazy("login")

    @override
    def form_valid(self, form: SetPasswordForm[User]) -> HttpResponse:
        messages.success(self.request, "Password set. Sign in with it.")
        return super().form_valid(form)


class PasswordForgotten(FormView[AddressForm]):
    """Mail a link to set a new password. The response is the same whether the address has an account or not."""

    template_name = "account/password_forgotten.html"
    form_class = AddressForm

    @override
    def form_valid(self, form: AddressForm) -> HttpResponse:
        wait = count_mail(form.cleaned_data["email"], client_address(self.request), timezone.now())
        if wait is not None:
            return too_many_requests(self.request, wait)
        # Also without anybody to mail to, so that neither the delay nor an outage of the broker reveals anything.
        send_password_links.delay(people_with_address(form.cleaned_data["email"]))
        return render(self.request, "account/password_link_sent.html", {"has_mail_server": has_mail_server()})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def sessions_page(request: HttpRequest) -> HttpResponse:
    """List the person's sessions. POST ends the one named by `session`, or all others."""
    user = page_principal(request).user
    refuse_unless(user is not None)
    assert user is not None  # noqa: S101  refused above
    if request.method == "POST":
        session = request.POST.get("session", "")
        if session:
            ended = session.isdecimal() and len(session) <= MAX_ID_DIGITS and end_session(user, int(session))
            messages.success(request, "Session ended." if ended else "This session had ended already.")
        else:
            end_other_sessions(request, user)
            messages.success(request, "All other sessions ended.")
        return redirect("sessions")
    return render(request, "account/sessions.html", {"sessions": sessions_of(user)})


def too_many_requests(request: HttpRequest, wait: timedelta) -> HttpResponse:
    """Return the page that says how long to wait, with Retry-After for programs."""
    seconds = max(int(wait.total_seconds()) + 1, 1)
    response = render(request, "429.html", {"minutes": -(-seconds // 60)}, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response
