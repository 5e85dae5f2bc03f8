"""How often a password may be tried. A sign-in that works does not wipe the count."""

import hashlib

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


class PerAddress(SimpleRateThrottle):
    """By the address that the connection comes from; a forwarded-for header is whatever its sender likes."""

    rate = "20/min"
    cache_format = "sign-in-address-%(ident)s"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        return self.cache_format % {"ident": request.META.get("REMOTE_ADDR", "")}


class PerAccount(SimpleRateThrottle):
    """By the e-mail that is tried, whether it belongs to an account or not."""

    rate = "5/min"
    cache_format = "sign-in-account-%(ident)s"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        body = request.data
        email = body.get("email") if isinstance(body, dict) else None
        if not isinstance(email, str):
            return None
        return self.cache_format % {"ident": hashlib.sha256(email.strip().lower().encode()).hexdigest()}
