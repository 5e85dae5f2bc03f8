"""Users, groups and organizations."""

import re
from typing import Any

from .account import Account
from .call import Answer, Call, Route
from .errors import Json, bad_attribute, forbidden, invalid, not_found
from .paging import page_of
from .present import anonymous_json, group_json, organization_json, user_json
from .records import Group, Indexed, Organization, User, stamp
from .search import matching_users

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
ROLES = ("end-user", "agent", "admin")
TEXT_MEMBERS = frozenset({"phone", "notes", "details", "time_zone", "external_id"})
FLAGS = frozenset({"suspended", "verified"})


def add_user(account: Account, data: Json) -> User:
    """Create a user. Raises 422 without a name, for a bad or taken e-mail address, for an unknown role."""
    now = account.now()
    user = User(account.new_id(), "", None, "end-user", now, now, verified=bool(data.get("verified", False)))
    change_user(account, user, data)
    account.users[user.id] = user
    return user


def change_user(account: Account, user: User, data: Json) -> None:
    """Change what ``data`` names. Raises 422 and changes nothing when a value is refused."""
    name = str(data.get("name", user.name) or "").strip()
    if not name:
        raise invalid("name", "Name: is too short (minimum one character)", "BlankValue")
    email = _checked_email(account, user, data.get("email", user.email))
    if data.get("role", user.role) not in ROLES:
        raise invalid("role", f"Role: {data['role']} is not a valid role")
    organization_id = data.get("organization_id", user.organization_id)
    if organization_id is not None and organization_id not in list(account.organizations):
        raise invalid("organization", "Organization: is invalid")
    user.name, user.email, user.role = name, email, data.get("role", user.role)
    user.organization_id = organization_id
    for member in TEXT_MEMBERS & data.keys():
        setattr(user, member, data[member])
    for flag in FLAGS & data.keys():
        setattr(user, flag, bool(data[flag]))
    if isinstance(data.get("tags"), list):
        user.tags = sorted({str(tag).lower() for tag in data["tags"]})
    if isinstance(data.get("user_fields"), dict):
        user.user_fields |= data["user_fields"]
    _join_default_group(account, user)
    touch_user(account, user)


def _checked_email(account: Account, user: User, value: Any) -> str | None:
    if value is None:
        return None
    email = str(value).strip().lower()
    if not EMAIL.fullmatch(email):
        raise invalid("email", f"Email: {email} is not properly formatted")
    holder = account.user_by_email(email)
    if holder is not None and holder.id != user.id:
        raise invalid("email", f"Email: {email} is already being used by another user", "DuplicateValue")
    return email


def _join_default_group(account: Account, user: User) -> None:
    group = next((item for item in account.groups.values() if item.default), None)
    if user.is_staff and user.default_group_id is None and group is not None:
        user.default_group_id = group.id
        group.member_ids.append(user.id)


def touch_user(account: Account, user: User) -> None:
    user.updated_at, user.touch = account.now(), account.touched()
    words = f"{user.name} {user.email or ''}".lower()
    values = {"email": user.email, "name": user.name, "external_id": user.external_id, "role": user.role}
    account.user_index.setdefault(user.id, []).append(Indexed(account.clock(), words, values))


def me(call: Call) -> Answer:
    if call.caller.id == 0:
        return Answer(body={"user": anonymous_json()})
    return Answer(body={"user": user_json(call.account, call.caller)})


def _active(account: Account) -> list[User]:
    return [user for user in account.users.values() if user.active]


def list_users(call: Call) -> Answer:
    wanted = call.query.get("role")
    users = [user for user in _active(call.account) if wanted in (None, user.role)]
    return _page(call, users)


def _page(call: Call, users: list[User]) -> Answer:
    def present(user: User) -> Json:
        return user_json(call.account, user)

    return Answer(body=page_of(call, "users", users, key=lambda user: (user.id,), present=present))


def show_user(call: Call) -> Answer:
    user = call.account.user(call.number("id"))
    if not call.caller.is_staff and user.id != call.caller.id:
        raise forbidden()
    return Answer(body={"user": user_json(call.account, user)})


def show_many(call: Call) -> Answer:
    if "external_ids" in call.query:
        wanted = call.query["external_ids"].split(",")
        return _page(call, [user for user in _active(call.account) if user.external_id in wanted])
    users = [call.account.users[number] for number in call.numbers() if number in call.account.users]
    return _page(call, users)


def search_users(call: Call) -> Answer:
    """By ``external_id`` at once; by ``query`` through the index, which lags."""
    if "external_id" in call.query:
        return _page(call, [user for user in _active(call.account) if user.external_id == call.query["external_id"]])
    if "query" not in call.query:
        raise bad_attribute("query")
    return _page(call, matching_users(call.account, call.query["query"]))


def create_user(call: Call) -> Answer:
    data = call.wrapped("user")
    _only_admins_make_staff(call, data)
    user = add_user(call.account, data)
    return Answer(201, {"user": user_json(call.account, user)}, {"Location": call.url(f"users/{user.id}")})


def create_or_update(call: Call) -> Answer:
    """Upsert by ``external_id`` first, then by e-mail address."""
    data, account = call.wrapped("user"), call.account
    _only_admins_make_staff(call, data)
    account.budgets.take("users/upsert", account.settings.user_upserts_per_second, 1, "user updates per second")
    email = str(data.get("email") or "").strip().lower()
    external_id = data.get("external_id")
    known = [user for user in _active(account) if external_id and user.external_id == external_id]
    by_email = account.user_by_email(email) if email else None
    user = known[0] if known else by_email
    if user is None:
        user = add_user(account, data)
        return Answer(201, {"user": user_json(account, user)}, {"Location": call.url(f"users/{user.id}")})
    _spend_update(account, user)
    change_user(account, user, data)
    return Answer(body={"user": user_json(account, user)})


def update_user(call: Call) -> Answer:
    user = call.account.user(call.number("id"))
    data = call.wrapped("user")
    _only_admins_make_staff(call, data)
    _spend_update(call.account, user)
    change_user(call.account, user, data)
    return Answer(body={"user": user_json(call.account, user)})


def _spend_update(account: Account, user: User) -> None:
    limit = account.settings.user_upserts_per_minute
    account.budgets.take(f"users/{user.id}/update", limit, 60, "updates of this user per minute")


def _only_admins_make_staff(call: Call, data: Json) -> None:
    if call.caller.role != "admin" and (data.get("role", "end-user") != "end-user" or "suspended" in data):
        raise forbidden()


def delete_user(call: Call) -> Answer:
    user = call.account.user(call.number("id"))
    user.active = False
    touch_user(call.account, user)
    return Answer(body={"user": user_json(call.account, user)})


def identities(call: Call) -> Answer:
    user = call.account.user(call.number("id"))

    def present(email: str) -> Json:
        created = stamp(user.created_at)
        return {
            "url": call.url(f"users/{user.id}/identities/{user.id + 1}"), "id": user.id + 1, "user_id": user.id,
            "type": "email", "value": email, "verified": user.verified, "primary": True, "created_at": created,
            "updated_at": created, "undeliverable_count": 0, "deliverable_state": "deliverable",
        }  # fmt: skip

    emails = [user.email] if user.email else []
    return Answer(body=page_of(call, "identities", emails, key=lambda email: (email,), present=present))


def list_groups(call: Call) -> Answer:
    def present(group: Group) -> Json:
        return group_json(call.account, group)

    groups = list(call.account.groups.values())
    return Answer(body=page_of(call, "groups", groups, key=lambda group: (group.id,), present=present))


def show_group(call: Call) -> Answer:
    group = call.account.groups.get(call.number("id"))
    if group is None:
        raise not_found()
    return Answer(body={"group": group_json(call.account, group)})


def create_group(call: Call) -> Answer:
    name = str(call.wrapped("group").get("name") or "").strip()
    if not name:
        raise invalid("name", "Name: cannot be blank", "BlankValue")
    group = Group(call.account.new_id(), name, call.account.now())
    call.account.groups[group.id] = group
    return Answer(201, {"group": group_json(call.account, group)})


def memberships(call: Call) -> Answer:
    def present(pair: tuple[int, int]) -> Json:
        group, user = call.account.groups[pair[0]], call.account.users[pair[1]]
        at, number = stamp(group.created_at), group.id + user.id
        return {
            "url": call.url(f"group_memberships/{number}"), "id": number, "user_id": user.id, "group_id": group.id,
            "default": user.default_group_id == group.id, "created_at": at, "updated_at": at,
        }  # fmt: skip

    pairs = [(group.id, user_id) for group in call.account.groups.values() for user_id in group.member_ids]
    if "id" in call.ids:
        pairs = [pair for pair in pairs if pair[1] == call.number("id")]
    return Answer(body=page_of(call, "group_memberships", pairs, key=lambda pair: pair, present=present))


def create_membership(call: Call) -> Answer:
    data = call.wrapped("group_membership")
    user = next((item for item in call.account.users.values() if item.id == data.get("user_id")), None)
    group = next((item for item in call.account.groups.values() if item.id == data.get("group_id")), None)
    if user is None or group is None or not user.is_staff:
        raise invalid("user", "User: is invalid")
    if user.id not in group.member_ids:
        group.member_ids.append(user.id)
    body: dict[str, Any] = {"id": group.id + user.id, "user_id": user.id, "group_id": group.id, "default": False}
    return Answer(201, {"group_membership": body})


def list_organizations(call: Call) -> Answer:
    wanted = call.query.get("external_id"), call.query.get("name")
    found = [
        item
        for item in call.account.organizations.values()
        if wanted[0] in (None, item.external_id) and (wanted[1] is None or wanted[1].lower() == item.name.lower())
    ]

    def present(item: Organization) -> Json:
        return organization_json(call.account, item)

    return Answer(body=page_of(call, "organizations", found, key=lambda item: (item.id,), present=present))


def show_organization(call: Call) -> Answer:
    found = call.account.organizations.get(call.number("id"))
    if found is None:
        raise not_found()
    return Answer(body={"organization": organization_json(call.account, found)})


def create_organization(call: Call) -> Answer:
    data, account = call.wrapped("organization"), call.account
    name = str(data.get("name") or "").strip()
    if not name:
        raise invalid("name", "Name: cannot be blank", "BlankValue")
    if any(item.name.lower() == name.lower() for item in account.organizations.values()):
        raise invalid("name", "Name: has already been taken", "DuplicateValue")
    now = account.now()
    made = Organization(account.new_id(), name, now, now, data.get("external_id"), touch=account.touched())
    account.organizations[made.id] = made
    return Answer(201, {"organization": organization_json(account, made)})


ROUTES = [
    Route("GET", "users/me", me, role="end-user", scope="users"),
    Route("GET", "users", list_users, scope="users"),
    Route("POST", "users", create_user, scope="users"),
    Route("GET", "users/show_many", show_many, scope="users"),
    Route("GET", "users/search", search_users, scope="users"),
    Route("POST", "users/create_or_update", create_or_update, scope="users"),
    Route("GET", "users/{id}", show_user, role="end-user", scope="users"),
    Route("PUT", "users/{id}", update_user, scope="users"),
    Route("DELETE", "users/{id}", delete_user, role="admin", scope="users"),
    Route("GET", "users/{id}/identities", identities, scope="users"),
    Route("GET", "users/{id}/group_memberships", memberships, scope="users"),
    Route("GET", "groups", list_groups),
    Route("GET", "groups/assignable", list_groups),
    Route("POST", "groups", create_group, role="admin"),
    Route("GET", "groups/{id}", show_group),
    Route("GET", "group_memberships", memberships),
    Route("POST", "group_memberships", create_membership, role="admin"),
    Route("GET", "organizations", list_organizations, scope="organizations"),
    Route("GET", "organizations/search", list_organizations, scope="organizations"),
    Route("POST", "organizations", create_organization, role="admin", scope="organizations"),
    Route("GET", "organizations/{id}", show_organization, scope="organizations"),
]
