"""The pages of a person's own account. Django knows the sign-in page by the name of LOGIN_URL."""

from django.urls import path

from customers import views

urlpatterns = [
    path("sign-in", views.SignIn.as_view(), name="login"),
    path("sign-out", views.SignOut.as_view(), name="logout"),
    path("password", views.PasswordChange.as_view(), name="password-change"),
    path("password/done", views.PasswordChangeDone.as_view(), name="password-change-done"),
    path("password/set/<uidb64>/<token>", views.PasswordSet.as_view(), name="password-set"),
]
