"""The fields of the organization: what each is, who may write it, which values it takes."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .people import Person

Value = str | int | float | bool | datetime | Person

TITLE, STATE, REASON, TYPE = (
    "System.Title",
    "System.State",
    "System.Reason",
    "System.WorkItemType",
)
PROJECT, AREA, ITERATION = (
    "System.TeamProject",
    "System.AreaPath",
    "System.IterationPath",
)
CREATED_AT, CREATED_BY = "System.CreatedDate", "System.CreatedBy"
CHANGED_AT, CHANGED_BY = "System.ChangedDate", "System.ChangedBy"
ASSIGNED, TAGS, HISTORY, DELETED = (
    "System.AssignedTo",
    "System.Tags",
    "System.History",
    "System.IsDeleted",
)
COMMENT_COUNT, DESCRIPTION = "System.CommentCount", "System.Description"
COMMON = "Microsoft.VSTS.Common."
PRIORITY, SEVERITY = COMMON + "Priority", COMMON + "Severity"
REPRO_STEPS = "Microsoft.VSTS.TCM.ReproSteps"

LONGEST_LINE = 255
LONGEST_TEXT = 1_048_576
LONG_KINDS = frozenset({"html", "history"})
PICKLISTS = uuid.UUID("1d7b1b7e-6a62-4f1f-9d63-2f7a40b3f1aa")


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``is_computed`` ones are never stored; ``is_hidden`` ones show only when all fields are asked for."""

    reference: str
    name: str
    kind: str = "string"
    is_read_only: bool = False
    is_computed: bool = False
    is_hidden: bool = False
    values: tuple[Value, ...] = ()
    description: str = ""

    @property
    def is_identity(self) -> bool:
        return self.kind == "identity"

    @property
    def is_long(self) -> bool:
        return self.kind in LONG_KINDS

    def as_json(self, address: str) -> dict[str, Any]:
        is_picklist = self.reference.startswith("Custom.") and bool(self.values)
        shown = {
            "name": self.name,
            "referenceName": self.reference,
            "description": self.description or None,
            "type": "string" if self.is_identity else self.kind,
            "usage": "workItem",
            "readOnly": self.is_read_only,
            "canSortBy": not self.is_long,
            "isQueryable": True,
            "supportedOperations": [
                {"referenceName": "SupportedOperations." + operation, "name": sign}
                for operation, sign in _operations(self)
            ],
            "isIdentity": self.is_identity,
            "isPicklist": is_picklist,
            "isPicklistSuggested": False,
            "isDeleted": False,
            "isLocked": False,
            "url": address,
        }
        if is_picklist:
            shown["picklistId"] = str(uuid.uuid5(PICKLISTS, self.reference))
        return shown


def _operations(field: Field) -> list[tuple[str, str]]:
    if field.is_long:
        return [
            ("ContainsWords", "Contains Words"),
            ("NotContainsWords", "Does Not Contain Words"),
        ]
    equality = [("Equals", "="), ("NotEquals", "<>")]
    order = [
        ("GreaterThan", ">"),
        ("LessThan", "<"),
        ("GreaterThanEquals", ">="),
        ("LessThanEquals", "<="),
    ]
    if field.kind == "plainText":
        return [("Contains", "Contains"), ("NotContains", "Does Not Contain")]
    if field.kind == "treePath":
        return [("Under", "Under"), ("NotUnder", "Not Under"), *equality]
    return [*equality, *order, ("In", "In")]


def _system() -> list[Field]:
    def own(name: str, title: str, kind: str = "string", **more: Any) -> Field:
        return Field("System." + name, title, kind, **more)

    hidden: dict[str, Any] = {"is_read_only": True, "is_computed": True, "is_hidden": True}
    return [
        own("Id", "ID", "integer", **hidden),
        own("AreaId", "Area ID", "integer", **hidden),
        own("AreaPath", "Area Path", "treePath"),
        own("TeamProject", "Team Project"),
        own("NodeName", "Node Name", **hidden),
        own("AreaLevel1", "Area Level 1", **hidden),
        own("Rev", "Rev", "integer", **hidden),
        own("AuthorizedDate", "Authorized Date", "dateTime", **hidden),
        own("RevisedDate", "Revised Date", "dateTime", **hidden),
        own("IterationId", "Iteration ID", "integer", **hidden),
        own("IterationPath", "Iteration Path", "treePath"),
        own("IterationLevel1", "Iteration Level 1", **hidden),
        own("WorkItemType", "Work Item Type"),
        own("State", "State"),
        own("Reason", "Reason"),
        own("AssignedTo", "Assigned To", "identity"),
        own("CreatedDate", "Created Date", "dateTime", is_read_only=True),
        own("CreatedBy", "Created By", "identity", is_read_only=True),
        own("ChangedDate", "Changed Date", "dateTime", is_read_only=True),
        own("ChangedBy", "Changed By", "identity", is_read_only=True),
        own("AuthorizedAs", "Authorized As", "identity", **hidden),
        own("PersonId", "Person ID", "integer", **hidden),
        own("Watermark", "Watermark", "integer", **hidden),
        own("CommentCount", "Comment Count", "integer", is_read_only=True),
        own("Title", "Title"),
        own("BoardColumn", "Board Column", is_read_only=True, is_computed=True),
        own(
            "BoardColumnDone",
            "Board Column Done",
            "boolean",
            is_read_only=True,
            is_computed=True,
        ),
        own("BoardLane", "Board Lane", is_read_only=True, is_computed=True),
        own("AttachedFileCount", "Attached File Count", "integer", **hidden),
        own("HyperLinkCount", "Hyperlink Count", "integer", **hidden),
        own("RelatedLinkCount", "Related Link Count", "integer", **hidden),
        own("IsDeleted", "Is Deleted", "boolean", is_read_only=True),
        own("Description", "Description", "html"),
        own("History", "History", "history"),
        own("Tags", "Tags", "plainText"),
        own("Parent", "Parent", "integer", is_read_only=True, is_computed=True),
    ]


def _process() -> list[Field]:
    ruled: dict[str, Any] = {"is_read_only": True}
    scheduling = "Microsoft.VSTS.Scheduling."
    return [
        Field(COMMON + "StateChangeDate", "State Change Date", "dateTime", **ruled),
        Field(COMMON + "ActivatedDate", "Activated Date", "dateTime", **ruled),
        Field(COMMON + "ActivatedBy", "Activated By", "identity", **ruled),
        Field(COMMON + "ResolvedDate", "Resolved Date", "dateTime", **ruled),
        Field(COMMON + "ResolvedBy", "Resolved By", "identity", **ruled),
        Field(COMMON + "ResolvedReason", "Resolved Reason", **ruled),
        Field(COMMON + "ClosedDate", "Closed Date", "dateTime", **ruled),
        Field(COMMON + "ClosedBy", "Closed By", "identity", **ruled),
        Field(PRIORITY, "Priority", "integer", values=(1, 2, 3, 4)),
        Field(
            SEVERITY,
            "Severity",
            values=("1 - Critical", "2 - High", "3 - Medium", "4 - Low"),
        ),
        Field(COMMON + "ValueArea", "Value Area", values=("Architectural", "Business")),
        Field(COMMON + "AcceptanceCriteria", "Acceptance Criteria", "html"),
        Field(COMMON + "StackRank", "Stack Rank", "double"),
        Field(REPRO_STEPS, "Repro Steps", "html"),
        Field("Microsoft.VSTS.TCM.SystemInfo", "System Info", "html"),
        Field(scheduling + "StoryPoints", "Story Points", "double"),
        Field(scheduling + "RemainingWork", "Remaining Work", "double"),
        Field(scheduling + "CompletedWork", "Completed Work", "double"),
        Field(scheduling + "DueDate", "Due Date", "dateTime"),
    ]


def _custom() -> list[Field]:
    return [
        Field("Custom.Site", "Site", values=("berlin", "paris", "london")),
        Field("Custom.DeploymentStage", "Deployment Stage"),
        Field(
            "Custom.Category",
            "Category",
            values=("design", "change request", "bug", "network"),
        ),
        Field("Custom.HubReference", "Hub Reference"),
    ]


SYSTEM, PROCESS, CUSTOM = _system(), _process(), _custom()
FIELDS = {field.reference: field for field in [*SYSTEM, *PROCESS, *CUSTOM]}
_BY_ANY_NAME = {name.casefold(): field for field in FIELDS.values() for name in (field.name, field.reference)}


def find_field(written: str) -> Field | None:
    """A field by reference name or display name, in any case."""
    return _BY_ANY_NAME.get(written.casefold())
