"""Who asks, for every route that shows or changes what belongs to an organization."""

from functools import cached_property

from apps.access.principal import Principal
from apps.foundation.routes import ApiView, ListView

from ..selectors import principal_of


class PrincipalView(ApiView):
    """The rights are read after the token was, once a request: middleware runs before the token is known."""

    @cached_property
    def principal(self) -> Principal:
        return principal_of(self.request.user)


class PrincipalListView(PrincipalView, ListView):
    """A list of what the principal may see."""
