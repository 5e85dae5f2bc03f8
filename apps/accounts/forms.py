"""What a person enters about the own account."""

import zoneinfo
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm

from .models import User
from .services import DEFAULT_TOKEN_LIFE, LONGEST_TOKEN_LIFE

_AREAS = {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}


def time_zones() -> list[tuple[str, str]]:
    """Zones by the names people know; the many abbreviations of the database are left out."""
    names = sorted(name for name in zoneinfo.available_timezones() if name.split("/")[0] in _AREAS)
    return [("", "as the browser says"), ("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


class SignInForm(AuthenticationForm):
    """E-mail and password; which of the two was wrong is never told."""

    error_messages = {
        "invalid_login": "E-mail and password do not match an account. Check both; the password is case-sensitive.",
        "inactive": "E-mail and password do not match an account. Check both; the password is case-sensitive.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "E-mail"
        self.fields["username"].widget.attrs |= {"autocomplete": "username", "type": "email"}

    def clean_username(self) -> str:
        return str(self.cleaned_data["username"]).lower()


class ProfileForm(forms.ModelForm):
    """The own name and time zone."""

    time_zone = forms.ChoiceField(choices=time_zones, required=False, help_text="Times are shown in this zone.")

    class Meta:
        model = User
        fields = ["name", "time_zone"]


class PasswordForm(PasswordChangeForm):
    """The old password and the new one twice. It is one form of several on its page, so it does not take the focus."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].widget.attrs.pop("autofocus", None)


class TokenForm(forms.Form):
    """A new API token: what it is for, and how long it lives."""

    name = forms.CharField(max_length=100, label="What is it for?", help_text="You tell your tokens apart by this.")
    days = forms.TypedChoiceField(
        label="Valid for",
        coerce=int,
        choices=[(30, "30 days"), (DEFAULT_TOKEN_LIFE.days, "90 days"), (LONGEST_TOKEN_LIFE.days, "1 year")],
        initial=DEFAULT_TOKEN_LIFE.days,
    )

    @property
    def life(self) -> timedelta:
        return timedelta(days=self.cleaned_data["days"])
