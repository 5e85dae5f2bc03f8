"""What every test of the API starts from: a small ecosystem with two rivals, and the access cases of each route.

Mercuri and Global are rivals: everything of theirs carries a word of its own, and the word of one must never be read by
the other.
"""

import io
import json
import tempfile
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, TestCase, override_settings
from django.urls import reverse

from apps.accounts.models import ApiToken, User
from apps.accounts.services import make_token
from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import principal_of
from apps.sync import services as sync
from apps.sync.engine.holding import make_hold
from apps.sync.models import Conflict, Connection, Exchange, Notice, RulesVersion, TicketLink
from apps.sync.rules import template_for
from apps.tickets import services as tickets
from apps.tickets.actor import Actor
from apps.tickets.models import Attachment, Comment, Ticket
from apps.tickets.vocabulary import Audience
from siamportal.cast import Cast, load_cast

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PROBLEM = "application/problem+json"
# Nothing listens on the discard port, so a check ends at once and says so.
NOBODY_LISTENS = "127.0.0.1:9"
ABSENT = {"reference": "T-ABSENT22", "number": 77}


@dataclass
class Estate:
    """What one organization has: a ticket, and a connection with everything that hangs on one."""

    mark: str
    organization: Organization
    actor: Actor
    ticket: Ticket
    comment: Comment
    attachment: Attachment
    connection: Connection
    link: TicketLink
    conflict: Conflict


@dataclass
class World:
    cast: Cast
    mercuri: Estate
    rival: Estate

    def user(self, name: str) -> User:
        user = self.cast.people[name].user
        assert user is not None
        return user

    def key(self, name: str) -> str:
        """A fresh API token of somebody."""
        return make_token(user=self.user(name), name="test", at=datetime.now(UTC))[1]


def actor_of(cast: Cast, name: str, slug: str) -> Actor:
    user = cast.people[name].user
    return Actor(principal_of(user), cast.organizations[slug], user, name)


def make_world() -> World:
    cast = load_cast(password=None)
    return World(
        cast,
        make_estate("canary-mercuri", actor_of(cast, "Mercuri Manager", "mercuri")),
        make_estate("canary-global", actor_of(cast, "David", "global")),
    )


def make_estate(mark: str, actor: Actor) -> Estate:
    ticket = tickets.open_ticket(values={"title": f"{mark}: the till is down"}, actor=actor, at=NOW)
    comment = tickets.comment(
        ticket=ticket, body=f"{mark}: only for us", audience=Audience.INTERNAL, actor=actor, at=NOW
    )
    file = tickets.File(f"{mark}.txt", "text/plain", io.BytesIO(mark.encode()))
    attachment = tickets.attach(ticket=ticket, file=file, audience=Audience.INTERNAL, actor=actor, at=NOW)
    assert comment is not None
    assert attachment is not None
    connection = make_connection(mark, actor)
    link = TicketLink.objects.create(
        connection=connection,
        ticket=ticket,
        state=TicketLink.State.LINKED,
        external_id=f"{mark}-10007",
        key=f"{mark}-7",
        url=f"https://{mark}.example/browse/7",
        applied_seq=1,
        merge_base={"status=status": ["new", "To Do", 1]},
        delivery_hold=make_hold(
            "rules", f"{mark}: no word", party=actor.organization.name, remedy="add a word", now=NOW, field="status"
        ),
        due_at=NOW,
        created_at=NOW,
    )
    conflict = Conflict.objects.create(
        link=link,
        rule_key="title=summary",
        hub_value=f"{mark} here",
        system_value=f"{mark} there",
        verdict="ask",
        at=NOW,
        recorded_at=NOW,
        is_open=True,
    )
    fresh = Ticket.objects.get(pk=ticket.pk)
    return Estate(mark, actor.organization, actor, fresh, comment, attachment, connection, link, conflict)


def make_connection(mark: str, actor: Actor) -> Connection:
    """An active connection with rules 1 in force and rules 2 tested, a notice and an exchange."""
    connection = sync.create_connection(
        actor=actor,
        name=f"{mark} desk",
        connector="jira",
        base_url=f"https://{NOBODY_LISTENS}/{mark}",
        settings={"project": "OPS"},
        secrets={"email": f"{mark}@example.com", "api_token": f"{mark}-token"},
        at=NOW,
    )
    for _ in range(2):
        version = sync.draft_rules(
            connection=connection, document=template_for("jira"), actor=actor, at=NOW, note=f"{mark} rules"
        )
        RulesVersion.objects.filter(pk=version.pk).update(state=RulesVersion.State.TESTED)
    first = RulesVersion.objects.get(connection=connection, number=1)
    sync.publish_rules(version=first, actor=actor, at=NOW)
    sync.resume_connection(connection=connection, actor=actor, at=NOW)
    Notice.objects.create(connection=connection, delivery_id=f"{mark}-delivery", summary=mark, received_at=NOW)
    Exchange.objects.create(
        connection=connection, at=NOW, method="GET", url=f"https://{mark}.example/", answer=mark, seconds=0.2
    )
    return Connection.objects.get(pk=connection.pk)


class ApiTestCase(TestCase):
    """The world once a class, every test in a transaction of its own; files go to a folder that vanishes."""

    world: World

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        changed = override_settings(
            SIAM_UPLOADS=folder.name, SIAM_OUTBOUND_ALLOW=[NOBODY_LISTENS], SIAM_PUBLIC_ADDRESS="https://portal.example"
        )
        changed.enable()
        cls.addClassCleanup(changed.disable)
        super().setUpClass()

    @classmethod
    def setUpTestData(cls) -> None:
        cls.world = make_world()

    def setUp(self) -> None:
        cache.clear()

    def call(
        self,
        who: str | None,
        method: str,
        address: str,
        body: Any = None,
        *,
        token: str | None = None,
        form: bool = False,
        **query: Any,
    ) -> HttpResponse:
        """One call with a bearer token, as a program makes it."""
        token = token or (self.world.key(who) if who else None)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = Client(enforce_csrf_checks=True, headers=headers)
        if method == "get":
            return client.get(address, query)
        if form:
            return client.post(address, body)
        return client.generic(method.upper(), address, as_json(body), content_type="application/json")

    def get(self, who: str, route: str, *, query: dict[str, Any] | None = None, **names: Any) -> Any:
        """What ``who`` reads at a route; the read must succeed."""
        answer = self.call(who, "get", reverse(route, kwargs=names), **(query or {}))
        assert answer.status_code == 200, answer.content
        return answer.json()


def as_json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


def assert_problem(answer: HttpResponse, status: int) -> dict[str, Any]:
    """The answer is a problem of this status; returns it."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


class RouteAccessCases(ApiTestCase):
    """One route and method, judged for everybody. Not collected itself: subclasses name the route.

    ``asker`` gets ``success`` for what is Mercuri's, which is foreign to the rival David and unknown to Otto. A read
    that has nothing of Mercuri's own to show says so with ``shows_mark``.
    """

    __test__ = False
    route: ClassVar[str]
    method: ClassVar[str] = "get"
    asker: ClassVar[str] = "Mercuri Manager"
    success: ClassVar[int] = 200
    shows_mark: ClassVar[bool] = True
    is_form: ClassVar[bool] = False

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        cls.__test__ = "route" in cls.__dict__

    def names(self) -> dict[str, Any]:
        """The parts of the address that name something of Mercuri's."""
        return {}

    def body(self) -> Any:
        return None

    def address(self, names: dict[str, Any] | None = None) -> str:
        return reverse(self.route, kwargs=self.names() if names is None else names)

    def absent_address(self) -> str:
        kept = ("connection_id",) if "number" in self.names() else ()
        absent = {name: ABSENT.get(name, uuid.uuid4()) for name in self.names() if name not in kept}
        return self.address({**self.names(), **absent})

    def ask(self, who: str | None, address: str | None = None, token: str | None = None) -> HttpResponse:
        body = self.body() if self.method != "get" else None
        return self.call(who, self.method, address or self.address(), body, token=token, form=self.is_form)

    def test_it_answers_whoever_may(self) -> None:
        answer = self.ask(self.asker)
        body = answer.getvalue()
        assert answer.status_code == self.success, body
        if self.method == "get" and self.shows_mark:
            assert self.world.mercuri.mark.encode() in body

    def test_it_asks_the_anonymous_to_sign_in(self) -> None:
        answer = self.ask(None)
        assert_problem(answer, 401)
        assert answer["WWW-Authenticate"] == "Bearer"

    def test_it_refuses_an_expired_token(self) -> None:
        key = self.world.key(self.asker)
        ApiToken.objects.filter(digest=ApiToken.digest_of(key)).update(expires_at=datetime.now(UTC) - timedelta(days=1))
        assert_problem(self.ask(None, token=key), 401)

    def test_it_refuses_the_token_of_a_deactivated_account(self) -> None:
        key = self.world.key(self.asker)
        User.objects.filter(pk=self.world.user(self.asker).pk).update(is_active=False)
        assert_problem(self.ask(None, token=key), 401)

    def test_it_refuses_the_session_of_a_deactivated_account(self) -> None:
        client = Client()
        client.force_login(self.world.user(self.asker), backend="django.contrib.auth.backends.ModelBackend")
        User.objects.filter(pk=self.world.user(self.asker).pk).update(is_active=False)
        assert_problem(client.generic(self.method.upper(), self.address(), content_type="application/json"), 401)

    def test_it_shows_otto_nothing(self) -> None:
        answer = self.ask("Otto")
        if self.names():
            assert_problem(answer, 404)
        elif self.method == "get":
            assert answer.json() in ([], {"results": [], "next": None})
        else:
            assert_problem(answer, 403)

    def test_it_tells_a_rival_nothing(self) -> None:
        self.check_rival(self.world.key("David"))

    def test_it_tells_a_rivals_machine_account_nothing(self) -> None:
        machine = self.world.rival.connection.machine
        self.check_rival(make_token(user=machine, name="machine", at=datetime.now(UTC))[1])

    def check_rival(self, key: str) -> None:
        answer = self.ask(None, token=key)
        body = answer.getvalue()
        assert self.world.mercuri.mark.encode() not in body
        if self.names():
            absent = self.ask(None, self.absent_address(), token=key)
            assert (answer.status_code, body, dict(answer.headers)) == (404, absent.content, dict(absent.headers))

    def test_it_takes_no_parameter_that_it_does_not_name(self) -> None:
        answer = self.ask(self.asker, self.address() + "?opened_by__slug__startswith=m")
        assert "opened_by__slug__startswith" in assert_problem(answer, 400)["errors"]

    def test_it_refuses_other_methods(self) -> None:
        assert_problem(self.call(self.asker, "trace", self.address()), 405)


class UnsafeAccessCases(RouteAccessCases):
    """A route that changes something: a browser's session needs the token against forged requests."""

    method = "post"

    def test_a_session_needs_the_csrf_token(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.world.user(self.asker), backend="django.contrib.auth.backends.ModelBackend")
        answer = client.generic(self.method.upper(), self.address(), as_json(None), content_type="application/json")
        assert "CSRF" in assert_problem(answer, 403)["detail"]


class WriteAccessCases(UnsafeAccessCases):
    """A route that changes what belongs to an organization. ``weak`` sees the thing and may not change it."""

    weak: ClassVar[str] = "Mercuri Agent"

    def test_it_needs_the_level(self) -> None:
        assert_problem(self.ask(self.weak), 403)

    def test_it_names_a_member_that_it_does_not_know(self) -> None:
        answer = self.call(
            self.asker, self.method, self.address(), {**(self.body() or {}), "surprise": 1}, form=self.is_form
        )
        assert "surprise" in assert_problem(answer, 400)["errors"]
