from datetime import timedelta

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from ..models import ApiToken, User

SEEN_EVERY = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer siam_…``. Wrong, expired and revoked tokens answer alike."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        word, _, key = get_authorization_header(request).decode("latin-1").partition(" ")
        if word.lower() != "bearer":
            return None
        now = timezone.now()
        token = ApiToken.objects.select_related("user").filter(digest=ApiToken.digest_of(key.strip())).first()
        if token is None or not token.is_valid(at=now):
            raise AuthenticationFailed(
                "the token is not valid (any more); make a new one and send it as a bearer token"
            )
        if token.last_used_at is None or token.last_used_at < now - SEEN_EVERY:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        # Middleware ran before the token was read: the principal must follow the account that really asks.
        request._request.user = token.user
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
