"""A write in the making: the patch operations applied to a copy, before rules are checked and anything is saved."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from .document import Operation
from .errors import (
    BindingFault,
    Refusal,
    invalid_argument,
    missing_field,
    rule_error,
    stale,
)
from .fields import DESCRIPTION, HISTORY, TAGS, TYPE, Field, Value, find_field
from .markup import Format
from .people import Person
from .places import Project
from .process import ItemType
from .store import Store
from .values import merged_tags, stored_value
from .workitems import (
    ARTIFACT,
    ATTACHED,
    CHILD,
    HYPERLINK,
    LINK_NAMES,
    PARENT,
    Item,
    Relation,
    opposite,
)

MOST_LINKS, MOST_FILES = 1000, 100
ITEM_ADDRESS = re.compile(r"/_apis/wit/workitems/(\d+)(?:\?.*)?$", re.IGNORECASE)
FILE_ADDRESS = re.compile(r"/_apis/wit/attachments/([0-9a-f-]{36})(?:\?.*)?$", re.IGNORECASE)


@dataclass(slots=True)
class Draft:
    """``item`` is None while a work item is being created."""

    store: Store
    item: Item | None
    project: Project
    kind: ItemType
    by: Person
    at: datetime
    bypass: bool = False
    takes_formats: bool = False
    fields: dict[str, Value] = field(default_factory=dict)
    formats: dict[str, Format] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    added: list[Relation] = field(default_factory=list)
    removed: list[Relation] = field(default_factory=list)
    updated: list[Relation] = field(default_factory=list)

    @property
    def before(self) -> dict[str, Value]:
        return self.item.latest.fields if self.item else {}

    @property
    def id(self) -> int:
        return self.item.id if self.item else 0

    def apply(self, operations: list[Operation]) -> None:
        """Carry out the operations on this draft only. Raises the vendor's refusals."""
        starting = list(self.relations)
        for operation in sorted(
            operations,
            key=lambda one: one.parts[0].casefold() != "multilinefieldsformat",
        ):
            match operation.parts[0].casefold():
                case "fields" if len(operation.parts) == 2:
                    self._write_field(operation)
                case "relations" if len(operation.parts) > 1:
                    self._write_relation(operation, starting)
                case "rev" | "id" if operation.is_test:
                    present = self.id if operation.parts[0] == "id" else self.item.latest.rev if self.item else 0
                    if present != operation.value:
                        raise stale(operation.path, present, operation.value)
                case "multilinefieldsformat" if len(operation.parts) == 2 and self.takes_formats:
                    self._write_format(operation)
                case _:
                    raise BindingFault(f"VS403426: The path {operation.path} cannot be patched on a work item.")

    def _field(self, written: str) -> Field:
        found = find_field(written)
        if found is None or found.reference not in self.kind.fields:
            raise missing_field(written)
        return found

    def _write_field(self, operation: Operation) -> None:
        target = self._field(operation.parts[1])
        present = self.fields.get(target.reference)
        if operation.is_test:
            if present != stored_value(self, target, operation.value):
                raise stale(operation.path, self.store.plain(present), operation.value)
            return
        if target.is_computed or (target.is_read_only and not self.bypass):
            text = f"TF401326: Invalid field status 'ReadOnly' for field '{target.reference}'."
            raise rule_error(target.reference, target.name, ("readOnly",), text)
        self.written.add(target.reference)
        value = None if operation.op == "remove" else stored_value(self, target, operation.value)
        if target.reference == TAGS and operation.op == "add" and isinstance(present, str) and isinstance(value, str):
            value = merged_tags(self, present, value)
        if value is None or value == "":
            self.fields.pop(target.reference, None)
        else:
            self.fields[target.reference] = value
        if target.reference == TYPE:
            self.kind = self.store.item_type(str(value), self.project)
            self.fields[TYPE] = self.kind.name

    def _write_format(self, operation: Operation) -> None:
        target = self._field(operation.parts[1])
        if not target.is_long or target.reference == HISTORY:
            text = f"Operation of changing value type is not supported for the field {target.reference}"
            raise Refusal(400, text, "WorkItemFieldInvalidException")
        form = str(operation.value).lower()
        if form == "markdown":
            self.formats[target.reference] = "markdown"
        elif form == "html":
            self.formats.pop(target.reference, None)
        else:
            raise invalid_argument(f"The value {operation.value!r} is not a format of {DESCRIPTION}.")

    def _write_relation(self, operation: Operation, starting: list[Relation]) -> None:
        if operation.op == "add" and operation.parts[1:] == ("-",):
            self._add_relation(operation.value)
            return
        index = operation.parts[1]
        if not index.isdecimal() or int(index) >= len(starting) or starting[int(index)] not in self.relations:
            raise Refusal(
                400,
                f"VS402426: There is no relation at {operation.path}.",
                "WorkItemRelationNotFoundException",
            )
        present = starting[int(index)]
        if operation.op == "remove" and len(operation.parts) == 2:
            self.relations.remove(present)
            self.removed.append(present)
        elif operation.parts[2:] == ("attributes", "comment") and not operation.is_test:
            changed = replace(present, comment=str(operation.value or ""))
            starting[int(index)] = changed
            self.relations[self.relations.index(present)] = changed
            if changed != present:
                self.updated.append(changed)
        else:
            raise BindingFault(f"VS403426: The operation {operation.op} is not supported on {operation.path}.")

    def _add_relation(self, value: Any) -> None:
        if (
            not isinstance(value, dict)
            or not isinstance(value.get("rel"), str)
            or not isinstance(value.get("url"), str)
        ):
            raise BindingFault("VS403426: A relation needs 'rel' and 'url'.")
        attributes = value.get("attributes") or {}
        if not isinstance(attributes, dict):
            raise BindingFault("VS403426: The attributes of a relation must be an object.")
        comment = str(attributes.get("comment") or "")
        relation = self._relation(value["rel"], value["url"], comment, str(attributes.get("name") or ""))
        if any((one.rel, one.url) == (relation.rel, relation.url) for one in self.relations):
            raise Refusal(400, "Relation already exists.", "RelationAlreadyExistsException")
        files = sum(one.rel == ATTACHED for one in self.relations)
        if relation.rel == ATTACHED and files >= MOST_FILES:
            raise Refusal(
                400,
                "VS403313: The work item has 100 attachments already.",
                "WorkItemAttachmentLimitException",
            )
        if relation.rel != ATTACHED and len(self.relations) - files >= MOST_LINKS:
            raise Refusal(
                400,
                "VS403313: The work item has 1000 links already.",
                "WorkItemLinksLimitException",
            )
        self.relations.append(relation)
        self.added.append(relation)

    def _relation(self, rel: str, url: str, comment: str, name: str) -> Relation:
        if rel in LINK_NAMES:
            return self._link(rel, url, comment)
        number = self.store.next("relation")
        if rel == ATTACHED:
            found = FILE_ADDRESS.search(url)
            file = self.store.attachments.get(found[1].lower()) if found else None
            if file is None or not file.is_complete:
                raise Refusal(
                    400,
                    f"TF401242: There is no attachment at {url}.",
                    "AttachmentNotFoundException",
                )
            address = f"{self.store.base_of(self.project)}/_apis/wit/attachments/{file.id}"
            return Relation(
                rel,
                address,
                number,
                file.id,
                comment,
                name or file.name,
                len(file.content),
                self.at,
            )
        if rel in (HYPERLINK, ARTIFACT):
            return Relation(rel, url, number, "", comment, at=self.at)
        raise Refusal(
            400,
            f"VS402304: There is no relation type {rel}.",
            "WorkItemRelationTypeNotFoundException",
        )

    def _link(self, rel: str, url: str, comment: str) -> Relation:
        found = ITEM_ADDRESS.search(url)
        if found is None:
            raise Refusal(
                400,
                f"VS402425: {url} is not the address of a work item.",
                "WorkItemLinkInvalidException",
            )
        other = self.store.item(int(found[1]))
        if other.id == self.id:
            raise Refusal(
                400,
                "TF201039: A work item cannot be linked to itself.",
                "WorkItemLinkInvalidException",
            )
        child_has_parent = (
            any(one.rel == PARENT for one in self.relations) if rel == PARENT else other.parent() is not None
        )
        if rel in (PARENT, CHILD) and child_has_parent:
            text = (
                f"TF201036: You cannot add a {LINK_NAMES[opposite(rel)]} link between work items {other.id} and "
                f"{self.id} because a work item can have only one Parent link."
            )
            raise Refusal(400, text, "WorkItemLinkInvalidException")
        address = f"{self.store.base_of(other.project)}/_apis/wit/workItems/{other.id}"
        return Relation(rel, address, 0, str(other.id), comment)
