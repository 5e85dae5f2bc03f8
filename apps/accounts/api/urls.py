from django.urls import path

from .views import MyTokensView, MyTokenView, SignInView

urlpatterns = [
    path("tokens/", SignInView.as_view(), name="api-sign-in"),
    path("me/tokens/", MyTokensView.as_view(), name="api-my-tokens"),
    path("me/tokens/<uuid:token_id>/", MyTokenView.as_view(), name="api-my-token"),
]
