"""The rules document: what a connection's owner writes, and what is stored, versioned and published."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .expressions import Expression, ExpressionRefused

Plain = str | int | float | bool | None


class RulesRefused(ValueError):
    """The document cannot be used. ``problems``: place in the document → what is wrong and what would be right."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{place}: {text}" for place, text in problems.items()))
        self.problems = problems


def _check_expression(source: str) -> str:
    try:
        Expression(source)
    except ExpressionRefused as problem:
        raise ValueError(str(problem)) from problem
    return source


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FieldEntry(_Part):
    """One mapped field. ``values``: hub value → system value; ``values_back`` adds words only the system uses;
    ``otherwise``: hub value → system value that will do where the workflow does not lead to the first."""

    hub: str = Field(min_length=1, max_length=80)
    system: str = Field(min_length=1, max_length=120)
    direction: Literal["both", "outbound", "inbound"] = "both"
    tiebreak: Literal["system", "hub", "latest", "ask"] = "latest"
    values: dict[str, Plain] | None = None
    values_back: dict[str, Plain] | None = None
    otherwise: dict[str, Plain] = {}
    unmapped: Literal["park", "pass", "default"] = "park"
    default_in_system: Plain = None
    default_in_hub: Plain = None
    too_long: Literal["park", "shorten"] = "park"
    about: str = ""


class Computed(_Part):
    """A value written together with a status: a constant, or a CEL expression over the hub's ticket."""

    value: Plain = None
    expression: str | None = None

    @field_validator("expression")
    @classmethod
    def _usable(cls, source: str | None) -> str | None:
        return None if source is None else _check_expression(source)


Visible = Literal["public", "internal", "no"]


class Inbound(_Part):
    """What the owner accepts from the hub, and how it lands."""

    when: str = "true"
    create: bool = True
    public_comments: Visible = "public"
    chosen_comments: Visible = "internal"
    internal_comments: Visible = "no"
    attribution: str = Field(default="**{author}** ({organization}):\n\n", max_length=200)
    attachments: bool = True
    largest_attachment_mb: float | None = Field(default=None, gt=0)
    refused_types: list[str] = []
    closed: Literal["park", "follow_up", "withhold"] = "park"

    _when = field_validator("when")(_check_expression)


class Outbound(_Part):
    """What leaves the owner's system for the hub. Internal comments stay inside unless the owner says otherwise."""

    when: str = "true"
    create: bool = True
    public_comments: Literal["public", "internal", "no"] = "public"
    internal_comments: Literal["public", "internal", "no"] = "no"
    attachments: bool = True

    _when = field_validator("when")(_check_expression)


class RulesDocument(_Part):
    """All rules of one connection."""

    about: str = ""
    types: Annotated[dict[str, str], Field(min_length=1)]
    types_back: dict[str, str] = {}
    fields: Annotated[list[FieldEntry], Field(min_length=1)]
    constants: dict[str, Plain] = {}
    with_status: dict[str, dict[str, Computed]] = {}
    inbound: Inbound = Inbound()
    outbound: Outbound = Outbound()
    mode: Literal["every_change", "latest_state"] = "every_change"


def read_document(raw: Any) -> RulesDocument:
    """Read a rules document. Raises RulesRefused naming each place that is wrong."""
    try:
        return RulesDocument.model_validate(raw)
    except ValidationError as problem:
        raise RulesRefused(
            {".".join(map(str, error["loc"])) or "document": error["msg"] for error in problem.errors()}
        ) from problem
