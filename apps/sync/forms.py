"""What people enter about connections and rules. A connector's settings become form fields by themselves."""

import json
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Union

from django import forms
from django.core.files.uploadedfile import UploadedFile
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from apps.accounts.models import User
from apps.ecosystem.models import Organization
from apps.tickets.vocabulary import Priority

from .connectors.catalog import ConnectorClass
from .engine.allowance import LARGEST_ALLOWANCE, SMALLEST_A_MINUTE, SMALLEST_AN_HOUR
from .models import AlertKind, AlertRule, Connection
from .services.operating import CHOICES

SETTING, SECRET = "setting_", "secret_"
SHOWN_FIRST = 3
LARGEST_DOCUMENT = 1024 * 1024
_YES_NO = [("", "as the system says"), ("True", "yes"), ("False", "no")]


class WordsField(forms.CharField):
    """Several words, one a line or with commas between."""

    widget = forms.Textarea(attrs={"rows": 2})

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        return [word.strip() for word in text.replace("\n", ",").split(",") if word.strip()]

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """The type itself, and whether it may be absent."""
    if typing.get_origin(annotation) in (Union, types.UnionType):
        inner = [part for part in typing.get_args(annotation) if part is not type(None)]
        return inner[0], len(inner) < len(typing.get_args(annotation))
    return annotation, False


def field_for(name: str, spec: FieldInfo) -> forms.Field:
    """A form field for one setting of a connector: the type decides which, the description becomes the help."""
    kind, is_optional = _without_none(spec.annotation)
    default = None if spec.default is PydanticUndefined else spec.default
    common: dict[str, Any] = {
        "label": name.replace("_", " ").capitalize(),
        "help_text": spec.description or "",
        "required": spec.is_required(),
        "initial": default,
    }
    if typing.get_origin(kind) is Literal:
        return forms.ChoiceField(
            choices=[(word, str(word).replace("_", " ")) for word in typing.get_args(kind)], **common
        )
    if kind is bool and is_optional:
        return forms.TypedChoiceField(choices=_YES_NO, coerce=lambda word: word == "True", empty_value=None, **common)
    if kind is bool:
        return forms.BooleanField(**common | {"required": False})
    if kind is int:
        return forms.IntegerField(**common)
    if kind is float:
        return forms.FloatField(**common)
    if typing.get_origin(kind) is tuple:
        return WordsField(**common)
    if typing.get_origin(kind) is dict:
        return forms.JSONField(widget=forms.Textarea(attrs={"rows": 3}), **common)
    return forms.CharField(max_length=2000, **common)


class ConnectionForm(forms.Form):
    """A connection of one kind of system. Secrets can be written and never read: an empty one keeps what is stored."""

    organization = forms.ModelChoiceField(
        queryset=Organization.objects.none(), empty_label=None, label="Whose system is it?"
    )
    name = forms.CharField(max_length=120, help_text="As your people call the system, for example Operations Jira.")
    base_url = forms.URLField(
        max_length=500,
        label="Address",
        assume_scheme="https",
        help_text="Where people open the system in a browser; https only.",
    )
    poll_seconds = forms.IntegerField(
        min_value=5,
        max_value=86_400,
        initial=60,
        label="Ask every … seconds",
        help_text="How often the system is asked for changes.",
    )
    brake_handful = forms.IntegerField(
        min_value=1,
        max_value=100_000,
        initial=10,
        required=False,
        label="A handful is … tickets",
        help_text="So many may be emptied, detached, closed or re-opened within ten minutes before the brake may stop "
        "it and ask you and your integrator.",
    )
    calls_per_minute = forms.IntegerField(
        min_value=SMALLEST_A_MINUTE,
        max_value=LARGEST_ALLOWANCE,
        required=False,
        label="At most … calls in a minute",
        help_text="Kept by all workers together. Empty: what the system says of itself, or no limit.",
    )
    calls_per_hour = forms.IntegerField(
        min_value=SMALLEST_AN_HOUR,
        max_value=LARGEST_ALLOWANCE,
        required=False,
        label="At most … calls in an hour",
        help_text="Set it where other programs use the same account.",
    )

    def __init__(
        self,
        *args: Any,
        kind: ConnectorClass,
        organizations: Any = None,
        connection: Connection | None = None,
        **kwargs: Any,
    ) -> None:
        if connection is not None:
            kwargs["initial"] = _initial_of(connection)
        super().__init__(*args, **kwargs)
        self.kind = kind
        if connection is None:
            self.fields["organization"].queryset = organizations  # type: ignore[attr-defined]
        else:
            del self.fields["organization"]
        for name, spec in kind.Settings.model_fields.items():
            self.fields[SETTING + name] = field_for(name, spec)
        stored = set(connection.secrets) if connection is not None else set()
        for name, spec in kind.Secrets.model_fields.items():
            self.fields[SECRET + name] = _secret_field(name, spec, is_stored=name in stored)

    @property
    def main_settings(self) -> list[forms.BoundField]:
        return [self[SETTING + name] for name in self._main_names()]

    @property
    def further_settings(self) -> list[forms.BoundField]:
        main = set(self._main_names())
        return [self[SETTING + name] for name in self.kind.Settings.model_fields if name not in main]

    @property
    def secret_fields(self) -> list[forms.BoundField]:
        return [self[SECRET + name] for name in self.kind.Secrets.model_fields]

    @property
    def has_further_errors(self) -> bool:
        return any(field.errors for field in self.further_settings)

    def _main_names(self) -> list[str]:
        specs = self.kind.Settings.model_fields
        first = list(specs)[:SHOWN_FIRST]
        return [
            name for name, spec in specs.items() if spec.is_required() or name in first or name.startswith("sign_in")
        ]

    def settings(self) -> dict[str, Any]:
        """What differs from the connector's defaults; the rest follows them when they improve."""
        given: dict[str, Any] = {}
        for name, spec in self.kind.Settings.model_fields.items():
            value = self.cleaned_data.get(SETTING + name)
            default = None if spec.default is PydanticUndefined else spec.default
            same = (
                tuple(value) == default if isinstance(value, list) and isinstance(default, tuple) else value == default
            )
            is_empty = value in ("", None, []) and default in ("", None, ())
            if spec.is_required() or not (same or is_empty):
                given[name] = value
        return given

    def secrets(self) -> dict[str, str]:
        given = {name: self.cleaned_data.get(SECRET + name, "") for name in self.kind.Secrets.model_fields}
        return {name: value for name, value in given.items() if value}

    def allowance(self) -> dict[str, int | None]:
        return {name: self.cleaned_data[name] for name in ("calls_per_minute", "calls_per_hour")}

    def take_problems(self, problems: Mapping[str, str]) -> None:
        """Put what the service refused beside the field it is about."""
        for place, text in problems.items():
            part, _, name = place.partition(".")
            prefix = {"settings": SETTING, "secrets": SECRET}.get(part, "")
            field = prefix + name.split(".")[0] if prefix else part
            self.add_error(
                field if field in self.fields else None, text if field in self.fields else f"{place}: {text}"
            )


def _initial_of(connection: Connection) -> dict[str, Any]:
    settings = {SETTING + name: value for name, value in connection.settings.items()}
    return {
        "name": connection.name,
        "base_url": connection.base_url,
        "poll_seconds": connection.poll_seconds,
        "brake_handful": connection.brake_handful,
        "calls_per_minute": connection.calls_per_minute,
        "calls_per_hour": connection.calls_per_hour,
        **settings,
    }


def _secret_field(name: str, spec: FieldInfo, *, is_stored: bool) -> forms.Field:
    widget = forms.PasswordInput(
        attrs={"autocomplete": "new-password", "placeholder": "stored; leave empty to keep it" if is_stored else ""}
    )
    return forms.CharField(
        label=name.replace("_", " ").capitalize(),
        help_text=spec.description or "",
        required=False,
        widget=widget,
        strip=True,
    )


class ReasonForm(forms.Form):
    """Why somebody does what they do; it is kept where others read it."""

    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), max_length=500)

    def __init__(self, *args: Any, is_required: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = is_required
        self.fields["reason"].label = "Why?" if is_required else "Why? (others see it)"


class AnswerForm(forms.Form):
    """What one party says about a brake; for which, where somebody may speak for both."""

    organization = forms.ModelChoiceField(queryset=Organization.objects.none(), label="For whom?", empty_label=None)
    note = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 2}), max_length=500, required=False, label="Why? (the other party sees it)"
    )

    def __init__(self, *args: Any, parties: list[Organization], asks_why: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parties = parties
        choices: Any = self.fields["organization"]
        choices.queryset = Organization.objects.filter(pk__in=[party.pk for party in parties])
        if len(parties) == 1:
            choices.required, choices.widget = False, forms.HiddenInput()
        if not asks_why:
            del self.fields["note"]

    def party(self) -> Organization:
        """The one for which it is said."""
        chosen: Organization | None = self.cleaned_data["organization"]
        return chosen or self.parties[0]


class HandForm(forms.Form):
    """Who shall see to it, and what they should know."""

    person = forms.ModelChoiceField(queryset=User.objects.none(), label="To whom?", empty_label=None)
    note = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 2}), max_length=500, required=False, label="What should they know?"
    )

    def __init__(self, *args: Any, people: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].queryset = people  # type: ignore[attr-defined]


class CorrectForm(forms.Form):
    """Another value for the field that a lane waits for; words to choose from where the field takes only some."""

    field = forms.ChoiceField(label="Field")
    value = forms.CharField(max_length=2000, label="New value")

    def __init__(self, *args: Any, fields: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["field"].choices = [(name, name) for name in fields]  # type: ignore[attr-defined]
        only = next(iter(fields)) if len(fields) == 1 else ""
        if only:
            self.fields["field"].widget = forms.HiddenInput()
            self.fields["field"].initial = only
            self.fields["value"].label = f"New value of {only}"
            self.fields["value"].initial = fields[only]
        if only in CHOICES:
            self.fields["value"] = forms.ChoiceField(
                choices=CHOICES[only].choices,  # type: ignore[attr-defined]
                label=f"New value of {only}",
                initial=fields[only],
            )


class AlertRuleForm(forms.ModelForm):
    """What one wants to be told of, by which way, and when."""

    kinds = forms.MultipleChoiceField(
        choices=AlertKind.choices, widget=forms.CheckboxSelectMultiple, label="Tell me when"
    )
    priority = forms.ChoiceField(
        choices=[("", "any priority"), *Priority.choices],
        required=False,
        label="Lanes of tickets from this priority on",
    )
    after_minutes = forms.IntegerField(
        min_value=1, max_value=100_000, initial=30, label="A long wait, or silence, is … minutes"
    )
    address = forms.CharField(
        max_length=500, required=False, label="Webhook address", help_text="https; it gets signed JSON by POST."
    )

    class Meta:
        model = AlertRule
        fields = [
            *("name", "kinds", "connections", "priority", "after_minutes", "channel", "address", "digest", "daily_at"),
            *("quiet_from", "quiet_until", "is_active"),
        ]
        labels = {
            "name": "What do you call this rule?",
            "connections": "Connections",
            "channel": "By",
            "digest": "When",
            "daily_at": "Once a day at",
            "quiet_from": "Quiet from",
            "quiet_until": "Quiet until",
            "is_active": "In use",
        }
        help_texts = {
            "connections": "None chosen: all that you may see.",
            "quiet_from": "In the time zone of your account; what happens then is told afterwards.",
        }
        widgets = {
            "connections": forms.CheckboxSelectMultiple,
            "daily_at": forms.TimeInput({"type": "time"}, format="%H:%M"),
            "quiet_from": forms.TimeInput({"type": "time"}, format="%H:%M"),
            "quiet_until": forms.TimeInput({"type": "time"}, format="%H:%M"),
        }

    def __init__(self, *args: Any, known: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["connections"].queryset = known  # type: ignore[attr-defined]
        self.fields["channel"].choices = AlertRule.Channel.choices  # type: ignore[attr-defined]
        self.fields["digest"].choices = AlertRule.Digest.choices  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        """What the service saves; the connections are chosen apart."""
        return {name: value for name, value in self.cleaned_data.items() if name != "connections"}

    def take_problems(self, problems: Mapping[str, str]) -> None:
        """Put what the service refused beside the field it is about."""
        for field, text in problems.items():
            self.add_error(field if field in self.fields else None, text)


class RulesForm(forms.Form):
    """A rules document, pasted or as a file."""

    note = forms.CharField(
        max_length=200, required=False, label="What changes?", help_text="One line for the list of versions."
    )
    text = forms.CharField(
        required=False,
        max_length=LARGEST_DOCUMENT,
        label="Rules (JSON)",
        widget=forms.Textarea(attrs={"class": "code", "spellcheck": "false"}),
    )
    file = forms.FileField(required=False, label="Or a file", help_text="A JSON file; it comes before the text above.")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        file: UploadedFile | None = cleaned.get("file")
        if file is not None and (file.size or 0) > LARGEST_DOCUMENT:
            raise forms.ValidationError("The file is larger than 1 MB; a rules document never is.")
        try:
            text = file.read().decode("utf-8-sig") if file is not None else cleaned.get("text", "")
            if not text.strip():
                raise forms.ValidationError("Paste a rules document, or choose a file.")
            cleaned["document"] = json.loads(text)
        except UnicodeDecodeError as problem:
            raise forms.ValidationError("The file is not text in UTF-8.") from problem
        except json.JSONDecodeError as problem:
            where = f"line {problem.lineno}, column {problem.colno}"
            raise forms.ValidationError(f"This is not JSON: {problem.msg} at {where}.") from problem
        except RecursionError as problem:
            raise forms.ValidationError("This is nested too deeply to be a rules document.") from problem
        return cleaned
