from django.urls import path

from . import views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("account/", views.account, name="account"),
    path("account/profile/", views.change_profile, name="account-profile"),
    path("account/password/", views.change_password, name="account-password"),
    path("account/tokens/new/", views.token_new, name="token-new"),
    path("account/tokens/<uuid:token_id>/revoke/", views.token_revoke, name="token-revoke"),
]
