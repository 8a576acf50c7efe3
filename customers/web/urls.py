"""URLs of a person's own account. LOGIN_URL names the sign-in page."""

from django.urls import path

from customers.web import account, invitations

urlpatterns = [
    path("sign-in", account.SignIn.as_view(), name="login"),
    path("sign-out", account.SignOut.as_view(), name="logout"),
    path("sessions", account.sessions_page, name="sessions"),
    path("password", account.PasswordChange.as_view(), name="password-change"),
    path("password/done", account.PasswordChangeDone.as_view(), name="password-change-done"),
    path("invitations/<secret>", invitations.open_link, name="invitation-link"),
    path("invitation", invitations.invitation_page, name="invitation"),
    path("password/forgotten", account.PasswordForgotten.as_view(), name="password-forgotten"),
    path("password/set/<uidb64>/<token>", account.PasswordSet.as_view(), name="password-set"),
]
