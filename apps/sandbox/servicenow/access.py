"""Who calls, and which tables, rows and columns that account may read and write."""

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from .errors import not_authenticated
from .instance import Instance, Row, new_id
from .schema import TASK
from .seed import API_KEYS, MFA_CODE
from .wire import Call

ADMIN = "admin"
SESSION_COOKIE = "JSESSIONID"
NODE_COOKIE = "glide_user_route"
SECRETS = frozenset({"sys_user.user_password", "x_siam_notice_target.secret"})
READ_ONLY_TABLES = frozenset({"sys_journal_field", "sys_audit", "sys_audit_delete", "sys_attachment", "sys_db_object"})

OPEN_TO_ALL = frozenset(
    {
        "sys_user",
        "sys_user_group",
        "sys_user_grmember",
        "sys_attachment",
        "dl_u_priority",
        "core_company",
        "cmn_location",
        "cmdb_ci",
    }
)
READERS = {
    "incident": frozenset({"itil", "sn_incident_read", "sn_incident_write"}),
    TASK: frozenset({"itil"}),
    "sys_journal_field": frozenset({"audit_viewer"}),
    "sys_audit": frozenset({"audit_viewer"}),
    "sys_audit_delete": frozenset({"audit_viewer"}),
    "sys_dictionary": frozenset({"personalize_dictionary"}),
    "sys_dictionary_override": frozenset({"personalize_dictionary"}),
    "sys_documentation": frozenset({"personalize_dictionary"}),
    "sys_choice": frozenset({"personalize_dictionary", "personalize_choices"}),
    "sys_db_object": frozenset({"personalize_dictionary"}),
    "sys_properties": frozenset({"personalize_dictionary"}),
    "x_siam_notice_target": frozenset({"x_siam.admin"}),
}
WRITERS = {
    "incident": frozenset({"itil", "sn_incident_write"}),
    TASK: frozenset({"itil"}),
    "x_siam_notice_target": frozenset({"x_siam.admin"}),
}


@dataclass(frozen=True, slots=True)
class Viewer:
    """The account in whose name a request is carried out."""

    user: Row
    roles: frozenset[str]
    zone: ZoneInfo

    @property
    def name(self) -> str:
        return self.user["user_name"]

    @property
    def sys_id(self) -> str:
        return self.user["sys_id"]

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles


def viewer_of(user: Row) -> Viewer:
    return Viewer(user, frozenset(user["roles"].split(",")), ZoneInfo(user["time_zone"] or "GMT"))


@dataclass(frozen=True, slots=True)
class Token:
    user_id: str
    expires_at: datetime


class Gate:
    """Signs accounts in by password, access token, API key or session cookie; holds the tokens that were issued."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.access_tokens: dict[str, Token] = {}
        self.refresh_tokens: dict[str, Token] = {}
        self._users_by_session: dict[str, str] = {}
        self._sessions_by_user: dict[str, str] = {}

    def sign_in(self, call: Call) -> Viewer:
        """The viewer behind ``call``. Raises a 401 refusal for every kind of wrong or missing credentials."""
        scheme, _, credentials = call.header("authorization").partition(" ")
        user: Row | None = None
        if scheme.lower() == "basic":
            user = self._by_basic(credentials, call.header("x-mfa_token"))
        elif scheme.lower() == "bearer":
            user = self._by_token(credentials.strip())
        elif not scheme and call.header("x-sn-apikey"):
            user = self._by_key(call.header("x-sn-apikey"))
        elif not scheme:
            user = self._by_session(call.header("cookie"))
        if user is None or user["active"] != "true" or user["locked_out"] == "true":
            raise not_authenticated()
        return viewer_of(user)

    def check_password(self, user_name: str, password: str) -> Row | None:
        user = self._instance.user(user_name) if user_name else None
        if user is None or not hmac.compare_digest(user["user_password"].encode(), password.encode()):
            return None
        return user

    def session_of(self, viewer: Viewer) -> dict[str, str]:
        """The cookies of the viewer's session; one session per account, so that callers without a jar cost nothing."""
        session = self._sessions_by_user.setdefault(viewer.sys_id, new_id().upper())
        self._users_by_session[session] = viewer.sys_id
        return {SESSION_COOKIE: session, NODE_COOKIE: "glide." + sha256(session.encode()).hexdigest()[:32]}

    def _by_basic(self, credentials: str, mfa_token: str) -> Row | None:
        try:
            user_name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if user_name in self._instance.settings.mfa_users:
            if not mfa_token and password.endswith(MFA_CODE):
                password, mfa_token = password.removesuffix(MFA_CODE), MFA_CODE
            if mfa_token != MFA_CODE:
                return None
        return self.check_password(user_name, password)

    def _by_token(self, text: str) -> Row | None:
        token = self.access_tokens.get(text)
        if token is None or self._instance.settings.tokens_retired or token.expires_at <= self._instance.clock():
            return None
        return self._instance.find("sys_user", token.user_id)

    def _by_key(self, key: str) -> Row | None:
        if not self._instance.settings.api_keys_on:
            return None
        return self._instance.user(API_KEYS.get(key, ""))

    def _by_session(self, cookies: str) -> Row | None:
        for cookie in cookies.split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == SESSION_COOKIE and value in self._users_by_session:
                return self._instance.find("sys_user", self._users_by_session[value])
        return None


def reads_table(instance: Instance, viewer: Viewer, table: str) -> bool:
    """Whether any row of ``table`` can be seen; without it a list is empty and not an error."""
    settings = instance.settings
    switched_off = {
        "sys_audit": not settings.audit_readable,
        "sys_audit_delete": not settings.deletions_readable,
        "sys_journal_field": not settings.journals_readable,
        "sys_properties": not settings.properties_readable,
    }
    if viewer.is_admin:
        return True
    if switched_off.get(table, False):
        return False
    return table in OPEN_TO_ALL or bool(viewer.roles & _allowed(instance, READERS, table))


def writes_table(instance: Instance, viewer: Viewer, table: str) -> bool:
    if table in READ_ONLY_TABLES:
        return False
    return viewer.is_admin or bool(viewer.roles & _allowed(instance, WRITERS, table))


def deletes_from(instance: Instance, viewer: Viewer, table: str) -> bool:
    """Most service desk roles cannot delete tickets: their convention is the state Canceled."""
    return writes_table(instance, viewer, table) and (viewer.is_admin or not instance.schema.is_task(table))


def hidden_columns(instance: Instance, viewer: Viewer, table: str) -> frozenset[str]:
    """Columns of ``table`` that ``viewer`` may not read: they are missing from every answer."""
    paths = SECRETS if viewer.is_admin else SECRETS.union(instance.settings.hidden_fields)
    return _columns_in(instance, table, paths)


def unwritable_columns(instance: Instance, viewer: Viewer, table: str) -> frozenset[str]:
    return frozenset() if viewer.is_admin else _columns_in(instance, table, instance.settings.unwritable_fields)


def _columns_in(instance: Instance, table: str, paths: Iterable[str]) -> frozenset[str]:
    owners = instance.schema.lineage(table)
    split = (path.split(".", 1) for path in paths if "." in path)
    return frozenset(column for owner, column in split if owner in owners)


def _allowed(instance: Instance, rules: dict[str, frozenset[str]], table: str) -> frozenset[str]:
    for name in instance.schema.lineage(table):
        if name in rules:
            return rules[name]
    return frozenset()
