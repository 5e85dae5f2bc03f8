"""Looking an instance over: who we are there, what it is, and what the account may not read."""

import re
from dataclasses import dataclass

from apps.sync.connectors.base import AccessRefused, Rejected, SystemCard, TicketGone

from .client import Page, ServiceNowClient
from .columns import Dictionary
from .query import Row, Scope, Term
from .reader import Reader

_GMT = ("", "GMT", "UTC", "Etc/UTC", "Etc/GMT")
_PROPERTIES = ("glide.war", "glide.buildtag.last", "glide.buildname", "instance_name")


@dataclass(frozen=True, slots=True)
class Findings:
    """The card, and whether the account reads the change log."""

    card: SystemCard
    has_change_log: bool


class Inspection:
    """One look at the instance. Raises SignInFailed, AccessRefused, or Rejected naming the setting that is wrong."""

    def __init__(self, client: ServiceNowClient, dictionary: Dictionary, reader: Reader) -> None:
        self._client = client
        self._settings = client.settings
        self._dictionary = dictionary
        self._reader = reader
        self._warnings: list[str] = []

    async def run(self) -> Findings:
        newest = await self._read_table()
        properties = await self._read_properties()
        name = properties.get("instance_name", "")
        if self._settings.instance_name and name and name != self._settings.instance_name:
            raise Rejected(
                f"the instance here is {name}, not {self._settings.instance_name}: perhaps a copy of it",
                field="instance_name",
                value=name,
            )
        await self._check_columns()
        account = await self._read_account()
        has_change_log = self._settings.use_change_log and await self._reads_change_log()
        if not newest.rows and newest.total:
            self._warnings.append(f"the account reads none of the {newest.total} tickets: give it a role such as itil")
        await self._check_clock(newest)
        card = SystemCard(
            product="ServiceNow",
            version=read_version(properties),
            account_id=account.get("sys_id", ""),
            account_name=account.get("name") or account.get("user_name", ""),
            deployment=name,
            warnings=tuple(self._warnings),
        )
        return Findings(card, has_change_log)

    async def _read_table(self) -> Page:
        return await self._client.page(
            self._settings.table,
            (),
            fields=("sys_updated_on", "sys_mod_count"),
            order=("-sys_updated_on",),
            scope=self._settings.query,
            limit=20,
        )

    async def _read_properties(self) -> dict[str, str]:
        term = Term("name", "IN", ",".join(_PROPERTIES))
        rows = await self._optional("sys_properties", term, fields=("name", "value"), order="name")
        return {row.get("name", ""): row.get("value", "") for row in rows}

    async def _read_account(self) -> Row:
        own = await self._reader.own_name()
        if not own:
            self._warnings.append(
                "the instance does not tell who we are: our own comments are known by their mark only"
            )
            return {}
        term = Term("user_name", "=", own)
        rows = await self._optional("sys_user", term, fields=("user_name", "name", "time_zone"), order="sys_id")
        account = rows[0] if rows else {"user_name": own}
        if account.get("time_zone", "") not in _GMT:
            self._warnings.append(f"set the account's time zone to GMT; it is {account['time_zone']}")
        return account

    async def _check_columns(self) -> None:
        columns = await self._dictionary.columns()
        if not columns.is_complete:
            self._warnings.append(
                "the account does not read sys_dictionary: field lengths and values are unknown, and over-long text is"
                " cut in silence"
            )
            return
        for setting in ("correlation_field", "write_mark_field"):
            name = getattr(self._settings, setting)
            if name and columns.get(name) is None:
                raise Rejected(f"{self._settings.table} has no column {name}", field=setting, value=name)
        for name in Scope(self._settings.query).fields:
            if columns.get(name) is None:
                raise Rejected(
                    f"the query names the column {name}, which {self._settings.table} does not have: the instance"
                    " would ignore the condition",
                    field="query",
                    value=name,
                )

    async def _reads_change_log(self) -> bool:
        """Whether sys_audit shows rows. Without read access it is an empty list, not an error; so tickets that were
        written before must have left something."""
        term = Term("tablename", "IN", f"{self._settings.table},task")
        try:
            page = await self._client.page("sys_audit", (term,), fields=("documentkey",), limit=1)
        except (AccessRefused, Rejected, TicketGone):
            page = Page((), 1, True)
        written = await self._client.page(self._settings.table, (Term("sys_mod_count", ">", "2"),), fields=(), limit=1)
        if page.rows or (not page.total and not written.rows):
            return True
        self._warnings.append("the account does not read sys_audit: field changes are seen as their last state only")
        return False

    async def _check_clock(self, newest: Page) -> None:
        """Ask for a known row by its own time: a miss shows that the instance reads our times in another zone."""
        if not newest.rows:
            return
        row = newest.rows[-1]
        terms = (Term("sys_id", "=", row["sys_id"]), Term("sys_updated_on", "<=", row.get("sys_updated_on", "")))
        same = await self._client.page(self._settings.table, terms, fields=(), limit=1)
        later = (Term("sys_id", "=", row["sys_id"]), Term("sys_updated_on", ">=", row.get("sys_updated_on", "")))
        again = await self._client.page(self._settings.table, later, fields=(), limit=1)
        if not same.rows or not again.rows:
            self._warnings.append("the instance reads times in another zone: set the account's time zone to GMT")

    async def _optional(self, table: str, term: Term, *, fields: tuple[str, ...], order: str) -> list[Row]:
        try:
            return await self._client.rows(table, term, fields=fields, order=order, limit=50)
        except (AccessRefused, Rejected, TicketGone):
            return []


def read_version(properties: dict[str, str]) -> str:
    """The release from glide.war (``glide-zurich-07-01-2026__patch3-…zip`` is zurich patch3); empty when unknown."""
    found = re.search(r"glide-([a-z]+)-[\d-]+(?:__(patch\d+))?", properties.get("glide.war", ""))
    if found:
        return " ".join(part for part in found.groups() if part)
    return properties.get("glide.buildname") or properties.get("glide.buildtag.last", "")
