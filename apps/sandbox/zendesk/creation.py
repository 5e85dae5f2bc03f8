"""``POST /tickets``: at once or as a job, and at most once per idempotency key."""

import hashlib

from .account import Account, Replay
from .call import Answer, Call, Route
from .errors import Refusal
from .jobs import create_later
from .present import audit_json, ticket_json
from .tickets import warn_about_strangers
from .writing import create_ticket

LONGEST_KEY = 255


def create(call: Call) -> Answer:
    """``POST /tickets``. With an ``Idempotency-Key`` the same body gets the first answer again for two hours."""
    account, data = call.account, call.wrapped("ticket")
    key = call.headers.get("Idempotency-Key")
    if key is not None:
        replay = replayed(account, key, call.raw)
        if replay is not None:
            return replay
    warn_about_strangers(call, data)
    if call.query.get("async") == "true":
        answer = create_later(call, data)
    else:
        ticket, audit = create_ticket(account, data, call.caller)
        body = {"ticket": ticket_json(account, ticket), "audit": audit_json(audit)}
        answer = Answer(201, body, {"Location": call.url(f"tickets/{ticket.id}")})
    if key is not None:
        fingerprint = hashlib.sha256(call.raw).hexdigest()
        account.replays[key] = Replay(fingerprint, account.clock(), answer.status, answer.body, dict(answer.headers))
        answer = Answer(answer.status, answer.body, {**answer.headers, "x-idempotency-lookup": "miss"})
    return answer


def replayed(account: Account, key: str, raw: bytes) -> Answer | None:
    """The stored answer for ``key``, None when it is new. Raises 400 for another body or an over-long key."""
    if not key or len(key) > LONGEST_KEY:
        raise Refusal(
            400,
            {
                "error": "IdempotentRequestError",
                "description": f"Idempotency key must have 1 to {LONGEST_KEY} characters",
            },
        )
    held = account.replays.get(key)
    if held is None or (account.clock() - held.at).total_seconds() >= account.settings.idempotency_seconds:
        return None
    if held.fingerprint != hashlib.sha256(raw).hexdigest():
        description = "Request parameters don't match the given idempotency key"
        raise Refusal(400, {"error": "IdempotentRequestError", "description": description})
    return Answer(held.status, held.body, {**held.headers, "x-idempotency-lookup": "hit"})


ROUTES = [Route("POST", "tickets", create, scope="tickets")]
