"""Every write to an issue: the change log, the true log, the search index and the webhooks, always together."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import seed
from .hooks import Event
from .state import Attachment, Change, ChangeItem, Comment, Issue, IssueLink, Project, RichText
from .values import describe, plain

if TYPE_CHECKING:
    from .site import Site


@dataclass(frozen=True, slots=True)
class CommentDraft:
    body: RichText
    is_public: bool = True
    visibility: dict[str, str] | None = None
    properties: dict[str, Any] | None = None


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


class Records:
    """The pen of one person at one site."""

    def __init__(self, site: "Site", author: str) -> None:
        self._site = site
        self._author = author

    def create(self, project: Project, values: dict[str, Any], properties: dict[str, Any]) -> Issue:
        now = self._site.now()
        store = self._site.store
        issue = Issue(
            id=str(store.number("issue")),
            key=store.new_key(project.key),
            project=project.key,
            creator=self._author,
            created=now,
            updated=now,
            status_changed=now,
            values={"status": seed.TO_DO, "resolution": None, "resolutiondate": None, "labels": ()} | values,
            properties=dict(properties),
        )
        store.add(issue)
        self._publish(issue, Event("jira:issue_created", issue, self._author, kind="issue_created"))
        return issue

    def change(
        self,
        issue: Issue,
        values: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        draft: CommentDraft | None = None,
    ) -> Change | None:
        """Write field values (and a comment with them). What is equal already leaves no trace at all."""
        store, now = self._site.store, self._site.now()
        items: list[ChangeItem] = []
        moved = None
        for field_id, value in values.items():
            before = issue.values.get(field_id)
            if before == value:
                continue
            spec = store.fields[field_id]
            old, new = describe(self._site, spec, before), describe(self._site, spec, value)
            name = spec.name if spec.is_custom else spec.id
            items.append(ChangeItem(name, spec.id, spec.is_custom, *old, *new))
            issue.values[field_id] = value
            self._log(issue, spec.id, plain(self._site, spec, before), plain(self._site, spec, value))
            if field_id == "status":
                moved = value
                issue.status_changed = now
            elif field_id == "resolution":
                issue.values["resolutiondate"] = None if value is None else now
        comment = self._add_comment(issue, draft) if draft else None
        change = self._record(issue, items, metadata)
        if change is None and comment is None:
            return None
        kind = "issue_generic" if moved else "issue_updated" if change else "issue_commented"
        self._publish(
            issue, Event("jira:issue_updated", issue, self._author, kind=kind, change=change, comment=comment)
        )
        if comment:
            self._fire(Event("comment_created", issue, self._author, comment=comment))
        return change

    def comment(self, issue: Issue, draft: CommentDraft) -> Comment:
        entry = self._add_comment(issue, draft)
        self._publish(issue, Event("comment_created", issue, self._author, comment=entry))
        self._echo_comment(issue, entry)
        return entry

    def edit_comment(self, issue: Issue, entry: Comment, body: RichText, visibility: dict[str, str] | None) -> None:
        entry.body, entry.visibility = body, visibility
        entry.updated, entry.update_author = self._site.now(), self._author
        self._publish(issue, Event("comment_updated", issue, self._author, comment=entry))
        self._log(issue, "comment", entry.id, entry.id)

    def delete_comment(self, issue: Issue, entry: Comment) -> None:
        issue.comments.remove(entry)
        self._publish(issue, Event("comment_deleted", issue, self._author, comment=entry))
        self._log(issue, "comment", entry.id, None)

    def attach(self, issue: Issue, filename: str, mime: str, content: bytes) -> Attachment:
        now, number = self._site.now(), str(self._site.store.number("attachment"))
        entry = Attachment(number, filename, mime, content, self._author, now)
        issue.attachments.append(entry)
        self._log(issue, "attachment", None, entry.id)
        item = ChangeItem("Attachment", "attachment", False, None, None, entry.id, filename)
        change = self._record(issue, [item], None)
        self._publish(issue, Event("attachment_created", issue, self._author, attachment=entry))
        if self._site.settings.updated_fires_for_comments:
            self._fire(Event("jira:issue_updated", issue, self._author, kind="issue_updated", change=change))
        return entry

    def detach(self, issue: Issue, entry: Attachment) -> None:
        issue.attachments.remove(entry)
        self._log(issue, "attachment", entry.id, None)
        self._record(issue, [ChangeItem("Attachment", "attachment", False, entry.id, entry.filename, None, None)], None)
        self._publish(issue, Event("attachment_deleted", issue, self._author, attachment=entry))

    def link(self, inward: Issue, outward: Issue, link: IssueLink) -> None:
        for issue, other in ((inward, outward), (outward, inward)):
            issue.links.append(link)
            item = ChangeItem(
                "Link", "issuelinks", False, None, None, other.key, f"This work item relates to {other.key}"
            )
            self._record(issue, [item], None, bump=self._site.settings.links_bump_updated)
            self._reindex(issue)
        self._fire(Event("issuelink_created", inward, self._author, link=link))

    def unlink(self, issues: list[Issue], link: IssueLink) -> None:
        for issue in issues:
            issue.links.remove(link)
            self._reindex(issue)
        self._fire(Event("issuelink_deleted", issues[0], self._author, link=link))

    def move(self, issue: Issue, project: Project) -> None:
        """Move to another project: the id stays, the key changes, the old key goes on finding the issue."""
        store, old = self._site.store, issue.key
        before = store.projects[issue.project]
        issue.project, issue.key = project.key, store.new_key(project.key)
        store.keys[issue.key] = issue.id
        moved = ChangeItem("project", "project", False, before.id, before.name, project.id, project.name)
        change = self._record(issue, [moved, ChangeItem("Key", "issuekey", False, None, old, None, issue.key)], None)
        self._log(issue, "project", before.key, project.key)
        self._publish(issue, Event("jira:issue_updated", issue, self._author, kind="issue_moved", change=change))

    def delete(self, issue: Issue) -> None:
        issue.is_deleted = True
        self._reindex(issue)
        self._fire(Event("jira:issue_deleted", issue, self._author, kind="issue_deleted"))

    def archive(self, issue: Issue, is_archived: bool) -> None:
        issue.is_archived = is_archived
        self._reindex(issue)

    def set_property(self, issue: Issue, key: str, value: Any) -> None:
        """Entity properties leave no change log, and ``updated`` stays."""
        issue.properties[key] = value
        self._fire(Event("issue_property_set", issue, self._author, property_key=key))

    def delete_property(self, issue: Issue, key: str) -> None:
        del issue.properties[key]
        self._fire(Event("issue_property_deleted", issue, self._author, property_key=key))

    def _add_comment(self, issue: Issue, draft: CommentDraft) -> Comment:
        now, number = self._site.now(), str(self._site.store.number("comment"))
        entry = Comment(
            id=number,
            author=self._author,
            body=draft.body,
            created=now,
            updated=now,
            update_author=self._author,
            is_public=draft.is_public,
            visibility=draft.visibility,
            properties=dict(draft.properties or {}),
        )
        issue.comments.append(entry)
        issue.updated = now
        self._log(issue, "comment", None, entry.id)
        return entry

    def _echo_comment(self, issue: Issue, entry: Comment) -> None:
        if self._site.settings.updated_fires_for_comments:
            self._fire(Event("jira:issue_updated", issue, self._author, kind="issue_commented", comment=entry))

    def _record(
        self, issue: Issue, items: list[ChangeItem], metadata: dict[str, Any] | None, bump: bool = True
    ) -> Change | None:
        if not items:
            return None
        now = self._site.now()
        change = Change(str(self._site.store.number("change")), self._author, now, tuple(items), metadata)
        issue.changes.append(change)
        if bump:
            issue.updated = now
        return change

    def _log(self, issue: Issue, field: str, before: Any, after: Any) -> None:
        by = self._site.store.users[self._author].display_name
        issue.log.append({"at": iso(self._site.now()), "by": by, "field": field, "from": before, "to": after})

    def _publish(self, issue: Issue, event: Event) -> None:
        if event.comment is not None:
            issue.updated = self._site.now()
        self._reindex(issue)
        self._fire(event)

    def _reindex(self, issue: Issue) -> None:
        settings = self._site.settings
        lag = settings.index_lag_seconds if settings.is_cloud else 0.0
        self._site.index.put(issue, self._site.now(), lag)

    def _fire(self, event: Event) -> None:
        self._site.hooks.fire(self._site, event)
