"""What people enter about tickets. A form checks shape; what is allowed is decided by the services."""

import copy
from collections.abc import Iterable
from typing import Any, BinaryIO, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile

from apps.ecosystem.models import Organization

from .models import Ticket
from .services import File
from .vocabulary import MOVES, Audience, Category, Kind, Priority, Status

IMPACTS = [
    (1, "1 · the whole organization"),
    (2, "2 · a site or a department"),
    (3, "3 · a team"),
    (4, "4 · one person"),
]
URGENCIES = [
    (1, "1 · work stands still"),
    (2, "2 · work is badly hindered"),
    (3, "3 · there is a way around"),
    (4, "4 · it can wait"),
]


class AssessmentForm(forms.Form):
    """Impact and urgency; the priority follows from the matrix (T96)."""

    impact = forms.TypedChoiceField(
        choices=IMPACTS, coerce=int, initial=3, widget=forms.RadioSelect, label="Who is hit?"
    )
    urgency = forms.TypedChoiceField(
        choices=URGENCIES, coerce=int, initial=3, widget=forms.RadioSelect, label="How badly does it press?"
    )


class OpenTicketForm(AssessmentForm):
    """A new ticket from the portal. What, where and how are asked for at once (T50)."""

    organization = forms.ModelChoiceField(queryset=Organization.objects.none(), empty_label=None, label="On behalf of")
    title = forms.CharField(
        max_length=255, label="What is the matter?", help_text="One sentence that anybody understands."
    )
    description = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 6}),
        required=False,
        max_length=65_000,
        label="What happens, where, and how can it be seen?",
        help_text="Markdown works: **bold**, lists, `code`.",
    )
    kind = forms.ChoiceField(choices=Kind.choices, initial=Kind.INCIDENT, widget=forms.RadioSelect)
    category = forms.ChoiceField(
        choices=Category.choices,
        required=False,
        help_text="Once known, it can send the ticket to the right party by itself.",
    )
    site = forms.CharField(max_length=80, required=False, help_text="Where it happens, for example berlin.")

    def __init__(self, *args: Any, organizations: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].queryset = organizations  # type: ignore[attr-defined]
        self.fields["organization"].initial = organizations.first()

    def values(self) -> dict[str, Any]:
        """Hub field → value, as the service takes them."""
        given = {
            name: self.cleaned_data[name] for name in ("title", "description", "kind", "impact", "urgency", "category")
        }
        return given | ({"custom.site": self.cleaned_data["site"]} if self.cleaned_data["site"] else {})


_EDITABLE: dict[str, forms.Field] = {
    "title": forms.CharField(max_length=255),
    "description": forms.CharField(widget=forms.Textarea, required=False, max_length=65_000),
    "kind": forms.ChoiceField(choices=Kind.choices),
    "category": forms.ChoiceField(choices=Category.choices, required=False),
    "assignee": forms.CharField(
        max_length=200, required=False, help_text="Who works on it at the party that holds it."
    ),
    "resolution": forms.CharField(widget=forms.Textarea, required=False, max_length=65_000),
    "site": forms.CharField(max_length=80, required=False, help_text="Where it happens."),
}


class EditForm(forms.Form):
    """One field of a ticket, by name; :data:`EDITABLE` lists which there are."""

    def __init__(self, *args: Any, field: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["value"] = copy.deepcopy(_EDITABLE[field])
        self.fields["value"].label = field.capitalize()


EDITABLE = tuple(_EDITABLE)


class MoveForm(forms.Form):
    """The next status, among those that may follow."""

    status = forms.ChoiceField(widget=forms.RadioSelect, label="Next status")
    resolution = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), required=False, help_text="When it is resolved: what helped?"
    )

    def __init__(self, *args: Any, ticket: Ticket, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        legal = MOVES[ticket.status]
        self.fields["status"].choices = [  # type: ignore[attr-defined]
            (status, Status(status).label.capitalize()) for status in legal
        ]
        self.fields["status"].initial = legal[0]
        self.fields["resolution"].initial = ticket.resolution


class PriorityForm(forms.Form):
    priority = forms.ChoiceField(choices=Priority.choices, widget=forms.RadioSelect)


class PartyForm(forms.Form):
    """A party of the ecosystem, to share with or to hand over to."""

    organization = forms.ModelChoiceField(
        queryset=Organization.objects.none(), label="Party", empty_label="choose a party"
    )
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), required=False, max_length=1000, label="Why?")

    def __init__(self, *args: Any, organizations: Any, asks_reason: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].queryset = organizations  # type: ignore[attr-defined]
        if not asks_reason:
            del self.fields["reason"]


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> Any:
        given = data if isinstance(data, list | tuple) else [data] if data else []
        return [super(FilesField, self).clean(one, initial) for one in given]


class CommentForm(forms.Form):
    """A comment with its audience and files."""

    body = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Write a comment. Markdown works."}), label="Comment"
    )
    audience = forms.ChoiceField(
        choices=[
            (Audience.PUBLIC, "All parties"),
            (Audience.CHOSEN, "Chosen parties"),
            (Audience.INTERNAL, "Only us"),
        ],
        initial=Audience.PUBLIC,
        widget=forms.RadioSelect,
        label="For whom?",
    )
    chosen = forms.ModelMultipleChoiceField(
        queryset=Organization.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Chosen parties",
    )
    files = FilesField(required=False, label="Files")  # type: ignore[assignment]

    def __init__(self, *args: Any, parties: Iterable[Organization], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [party.pk for party in parties]
        self.fields["chosen"].queryset = Organization.objects.filter(pk__in=known).order_by("name")  # type: ignore[attr-defined]

    def chosen_parties(self) -> list[Organization]:
        """The parties meant: they count only for an audience of chosen parties."""
        return list(self.cleaned_data["chosen"]) if self.cleaned_data["audience"] == Audience.CHOSEN else []

    def chosen_files(self) -> list[File]:
        given: list[UploadedFile] = self.cleaned_data["files"]
        return [File(file.name or "", file.content_type or "", cast(BinaryIO, file.file)) for file in given]
