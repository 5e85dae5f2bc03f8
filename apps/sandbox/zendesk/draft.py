"""A ticket as one write would leave it: checked whole before anything is changed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Any

from .account import Account
from .errors import Json, bad_attribute, invalid_record
from .records import PRIORITIES, STATUSES, TICKET_FIELDS, TYPES, Ticket, TicketField, User, parse_stamp, stamp

PLAIN_MEMBERS = ("external_id", "recipient")
KNOWN_MEMBERS = frozenset(TICKET_FIELDS) | frozenset(
    [
        "comment",
        "description",
        "custom_fields",
        "fields",
        "requester",
        "assignee_email",
        "additional_tags",
        "remove_tags",
        "metadata",
        "safe_update",
        "updated_stamp",
        "via_followup_source_id",
        "collaborators",
        "additional_collaborators",
        "followers",
        "email_ccs",
        "raw_subject",
        "via",
        "via_id",
        "macro_ids",
        "macro_id",
        "attribute_value_ids",
        "sharing_agreement_ids",
        "id",
        "created_at",
        "updated_at",
        "solved_at",
        "comments",
        "url",
        "is_public",
        "generated_timestamp",
        "satisfaction_rating",
        "has_incidents",
        "followup_ids",
        "forum_topic_id",
        "allow_channelback",
        "allow_attachments",
        "from_messaging_channel",
        "result_type",
        "voice_comment",
        "deleted_ticket_form_id",
        "comment_count",
    ]
)  # read-only members that clients send back are dropped without a word
ID_MEMBERS = ("ticket_form_id", "brand_id")
NUMBERS = frozenset(name for name in TICKET_FIELDS if name.endswith("_id") and name != "external_id")


def blank_values(account: Account) -> Json:
    values: Json = dict.fromkeys(TICKET_FIELDS)
    values |= {"tags": [], "collaborator_ids": [], "follower_ids": [], "email_cc_ids": []}
    values |= {"status": "new", "brand_id": account.brand_id, "ticket_form_id": account.form_id}
    default = account.default_status("new")
    return values | {"custom_status_id": default.id if default else None}


def _id_value(name: str, value: Any) -> int | None:
    """Ids come as numbers or as digits in text. Raises 400 for anything else."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_attribute(name, f"Invalid parameter: {name} must be an integer")
    return value


def tag_list(value: Any) -> list[str]:
    """Tags as the vendor keeps them: lower-case, split at spaces and commas, each once, in order."""
    parts: Iterable[Any] = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    words = (word for part in parts for word in re.split(r"[\s,]+", str(part).lower()))
    return sorted({word for word in words if word})


@dataclass
class Draft:
    """The values a write would leave. :meth:`apply` reads the members, :meth:`check` raises every problem at once."""

    account: Account
    base: Ticket | None
    values: Json
    custom: dict[int, Any]
    problems: dict[str, list[Json]] = field(default_factory=dict)

    @classmethod
    def of(cls, account: Account, base: Ticket | None) -> "Draft":
        if base is None:
            return cls(account, None, blank_values(account), {})
        return cls(account, base, {**base.values, "tags": list(base.values["tags"])}, dict(base.custom))

    def refuse(self, name: str, description: str, error: str = "InvalidValue") -> None:
        self.problems.setdefault(name, []).append({"description": description, "error": error})

    def check(self) -> None:
        if self.problems:
            raise invalid_record(self.problems)

    def apply(self, data: Json) -> None:
        """Take over all members of ``data``. Raises 400 for members of a wrong kind."""
        data = {name: _id_value(name, value) if name in NUMBERS else value for name, value in data.items()}
        if "raw_subject" in data and "subject" not in data:
            data = {**data, "subject": data["raw_subject"]}
        if "subject" in data:
            self.values["subject"] = str(data["subject"]).strip() if data["subject"] is not None else None
        for name in PLAIN_MEMBERS:
            if name in data:
                self.values[name] = None if data[name] is None else str(data[name])
        for name in ID_MEMBERS:
            if isinstance(data.get(name), int):
                self.values[name] = data[name]
        self._take_choice(data, "priority", PRIORITIES, "Priority")
        if self.account.settings.type_enabled:
            self._take_choice(data, "type", TYPES, "Type")
        self._take_people(data)
        self._take_assignment(data)
        self._take_status(data)
        self._take_problem(data)
        self._take_due(data)
        self._take_tags(data)
        self._take_custom_fields(data)

    def _take_choice(self, data: Json, name: str, choices: tuple[str, ...], title: str) -> None:
        if name not in data:
            return
        value = data[name] or None
        if value is not None and value not in choices:
            self.refuse(name, f"{title}: {value} is not a valid value")
            return
        self.values[name] = value

    def _take_people(self, data: Json) -> None:
        for name, title in (("requester_id", "Requester"), ("submitter_id", "Submitter")):
            if data.get(name) is None or (name == "submitter_id" and self.base is not None):
                continue
            if data[name] not in self.account.users:
                self.refuse(name, f"{title}: is invalid")
                continue
            self.values[name] = data[name]
        requester = self.account.users.get(self.values["requester_id"] or 0)
        changed = self.base is None or self.base.values["requester_id"] != self.values["requester_id"]
        if data.get("organization_id") is not None:
            if data["organization_id"] in self.account.organizations:
                self.values["organization_id"] = data["organization_id"]
            else:
                self.refuse("organization", "Organization: is invalid")
        elif requester is not None and changed:
            self.values["organization_id"] = requester.organization_id
        for name in ("collaborator_ids", "follower_ids", "email_cc_ids"):
            if isinstance(data.get(name), list):
                self.values[name] = [item for item in self.account.users if item in data[name]]

    def _take_assignment(self, data: Json) -> None:
        if "group_id" in data:
            group_id = data["group_id"]
            if group_id is not None and group_id not in self.account.groups:
                self.refuse("group", "Group: is invalid")
                return
            self.values["group_id"] = group_id
        assignee_id = data.get("assignee_id")
        if isinstance(data.get("assignee_email"), str):
            found = self.account.user_by_email(data["assignee_email"])
            assignee_id = found.id if found else 0
        if "assignee_id" in data or "assignee_email" in data:
            self._assign(assignee_id, with_group=data.get("group_id") is not None)
        elif "group_id" in data and not self._is_member(self.values["assignee_id"], self.values["group_id"]):
            self.values["assignee_id"] = None

    def _assign(self, assignee_id: Any, *, with_group: bool) -> None:
        if assignee_id is None:
            self.values["assignee_id"] = None
            return
        agent = self.account.users.get(assignee_id)
        if agent is None or not agent.is_staff or not agent.active or agent.suspended:
            self.refuse("assignee", "Assignee: is invalid")
            return
        if with_group and not self._is_member(agent.id, self.values["group_id"]):
            self.refuse("assignee", "Assignee: is not a member of the group")
            return
        self.values["assignee_id"] = agent.id
        if not with_group:
            self.values["group_id"] = agent.default_group_id

    def _is_member(self, user_id: Any, group_id: Any) -> bool:
        group = self.account.groups.get(group_id)
        return group is not None and user_id in group.member_ids

    def _take_status(self, data: Json) -> None:
        if data.get("custom_status_id") is not None and self.account.settings.custom_statuses_enabled:
            chosen = self.account.custom_statuses.get(data["custom_status_id"])
            if chosen is None or not chosen.active:
                self.refuse("custom_status_id", "Ticket status: is invalid")
                return
            self.set_status(chosen.category, chosen.id)
        elif data.get("status") is not None:
            self.set_status(data["status"])
        elif self.values["status"] == "new" and self.values["assignee_id"] is not None:
            # an assigned ticket is never new
            self.set_status("open")
        if self.values["status"] == "new" and self.values["assignee_id"] is not None and self.base is None:
            self.set_status("open")

    def set_status(self, status: Any, custom_status_id: int | None = None) -> None:
        before = self.base.status if self.base else "new"
        allowed = [name for name in STATUSES if name != "hold" or self.account.settings.hold_enabled]
        if status not in allowed:
            self.refuse("status", f"Status: {status} is not a valid value")
        elif status == "new" and before != "new":
            self.refuse("status", "Status: cannot go back to new")
        elif status == "closed" and before != "solved":
            self.refuse("status", "Status: closed is only possible for solved tickets")
        else:
            self.values["status"] = status
            if custom_status_id is None and status != "closed":
                default = self.account.default_status(status)
                custom_status_id = default.id if default else None
            self.values["custom_status_id"] = custom_status_id or self.values["custom_status_id"]

    def _take_problem(self, data: Json) -> None:
        if "problem_id" in data:
            problem = self.account.tickets.get(data["problem_id"] or 0)
            if data["problem_id"] is not None and (
                problem is None or problem.deleted_at or problem.values["type"] != "problem"
            ):
                self.refuse("problem_id", "Problem: is not a ticket of type problem")
                return
            self.values["problem_id"] = data["problem_id"]
        if self.values["problem_id"] is not None and self.values["type"] != "incident":
            if data.get("problem_id") is not None:
                self.refuse("problem_id", "Problem: only tickets of type incident can have one")
            self.values["problem_id"] = None

    def _take_due(self, data: Json) -> None:
        if "due_at" not in data:
            return
        if not data["due_at"]:
            self.values["due_at"] = None
            return
        try:
            self.values["due_at"] = stamp(parse_stamp(str(data["due_at"])).astimezone(UTC))
        except ValueError:
            self.refuse("due_at", "Due date: is not a valid date")

    def _take_tags(self, data: Json) -> None:
        before = set(self.values["tags"])
        tags = set(tag_list(data["tags"])) if "tags" in data else set(before)
        tags |= set(tag_list(data.get("additional_tags")))
        tags -= set(tag_list(data.get("remove_tags")))
        self.values["tags"] = sorted(tags)
        for item in self._coupled_fields():
            value = self.custom.get(item.id)
            added = [option for option in item.options if option in tags - before]
            if item.type == "multiselect":
                kept = [option for option in value or [] if option in tags]
                self.custom[item.id] = [*kept, *(option for option in added if option not in kept)] or None
            elif added:
                self.custom[item.id] = added[-1]
                self.values["tags"] = sorted(set(self.values["tags"]) - (set(item.options) - {added[-1]}))
            elif value is not None and value not in tags:
                self.custom[item.id] = None

    def _coupled_fields(self) -> list[TicketField]:
        return [item for item in self.account.fields.values() if item.type in ("tagger", "multiselect")]

    def _take_custom_fields(self, data: Json) -> None:
        given = data.get("custom_fields", data.get("fields"))
        if given is None:
            return
        if isinstance(given, dict):
            given = [{"id": int(key) if str(key).isdigit() else 0, "value": value} for key, value in given.items()]
        if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
            raise bad_attribute("custom_fields", "Invalid parameter: custom_fields must be an array of objects")
        for entry in given:
            item = self.account.fields.get(_id_value("id", entry.get("id")) or 0)
            if item is not None and not item.system and item.active:
                self.set_custom(item, entry.get("value"))

    def set_custom(self, item: TicketField, value: Any) -> None:
        """Give a custom field a value; values of option fields and ticked boxes are tags too."""
        if value in ("", []):
            value = None
        why, value = custom_value(item, value)
        if why:
            self.problems.setdefault("base", []).append(
                {"description": f"{item.title}: {why}", "error": "InvalidValue", "ticket_field_id": item.id}
            )
            return
        self.custom[item.id] = value
        own = set(item.options) | ({item.tag} if item.tag else set())
        tags = set(self.values["tags"]) - own
        if item.type == "tagger" and value:
            tags.add(value)
        elif item.type == "multiselect" and value:
            tags |= set(value)
        elif item.type == "checkbox" and value and item.tag:
            tags.add(item.tag)
        self.values["tags"] = sorted(tags)


def custom_value(item: TicketField, value: Any) -> tuple[str, Any]:
    """What is wrong with ``value`` for this field (empty when nothing is), and the value as stored."""
    if value is None:
        return "", False if item.type == "checkbox" else None
    if item.type == "tagger":
        return ("" if value in list(item.options) else f"{value} is not a valid option"), value
    if item.type == "multiselect":
        wrong = not isinstance(value, list) or any(part not in list(item.options) for part in value)
        return ("has an option that is not valid" if wrong else ""), value
    if item.type == "checkbox":
        return ("" if value in (True, False, "true", "false") else "must be true or false"), value in (True, "true")
    text = str(value)
    if item.type == "date":
        return ("" if _is_date(text) else "must be a date like 2026-11-20"), text
    if item.type == "integer":
        return ("" if re.fullmatch(r"-?\d+", text) else "must be a whole number"), text
    if item.type == "decimal":
        return ("" if re.fullmatch(r"-?\d+(\.\d+)?", text) else "must be a number"), text
    if item.type == "regexp":
        return ("" if re.fullmatch(item.pattern or ".*", text) else "does not match the field's format"), text
    return "", text


def _is_date(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def solve_problems(account: Account, draft: Draft) -> list[Json]:
    """Everything still missing for solving, one entry per field, in the vendor's words."""

    def missing(title: str, item_id: int | None, kind: str) -> Json:
        return {
            "description": f"{title}: is required when solving a ticket",
            "error": "BlankValue",
            "ticket_field_id": item_id,
            "ticket_field_type": kind,
        }

    found = []
    assignee = next((item for item in account.fields.values() if item.type == "assignee"), None)
    if draft.values["assignee_id"] is None:
        found.append(missing("Assignee", assignee.id if assignee else None, "FieldAssignee"))
    system_values = {"tickettype": "type", "priority": "priority", "subject": "subject", "group": "group_id"}
    for item in account.fields.values():
        if not item.required or not item.active or item.type in ("assignee", "description", "status", "custom_status"):
            continue
        name = system_values.get(item.type) if item.system else None
        value = draft.values[name] if name else draft.custom.get(item.id)
        if value in (None, "", [], False):
            kind = {"tickettype": "TicketType"}.get(item.type, item.type.capitalize())
            found.append(missing(item.title, item.id, f"Field{kind}"))
    return found


def find_requester(account: Account, data: Json) -> User | None:
    """The end user named by ``requester``, by e-mail; None when the member is absent or names nobody known."""
    requester = data.get("requester")
    if not isinstance(requester, dict) or not isinstance(requester.get("email"), str):
        return None
    return account.user_by_email(requester["email"])
