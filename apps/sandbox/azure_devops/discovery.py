"""How clients find out where they are: locations, resource areas, connection data, identities, users."""

from typing import Any

from . import locations
from .calls import Answer, Call, collection
from .errors import Refusal, invalid_argument, missing_thing
from .instants import stamp
from .locations import CORE_AREA, IDENTITY_AREAS, LOCATIONS, TRACKING_AREA
from .people import Person
from .places import INSTANCE_ID
from .routes import Route
from .seed import DEPLOYMENT_ID, TENANT

USERS_PER_PAGE = 100


def list_locations(call: Call) -> Answer:
    area = call.places.get("area", "").casefold()
    hosted_only = ("Graph",) if call.store.settings.is_server else ()
    kept = [one for one in LOCATIONS if (not area or one.area.casefold() == area) and one.area not in hosted_only]
    return collection([one.as_json(call.store.settings) for one in kept])


def _areas(call: Call) -> list[dict[str, str]]:
    if call.store.settings.is_server:
        return []
    here = call.store.base + "/"
    identities = call.store.base.removesuffix(call.store.path) + "/vssps" + call.store.path + "/"
    return [
        {"id": CORE_AREA, "name": "core", "locationUrl": here},
        {"id": TRACKING_AREA, "name": "wit", "locationUrl": here},
        *({"id": number, "name": name, "locationUrl": identities} for number, name in IDENTITY_AREAS.items()),
    ]


def list_areas(call: Call) -> Answer:
    return collection(list(_areas(call)))


def read_area(call: Call) -> Answer:
    found = next((one for one in _areas(call) if one["id"] == call.places["id"].lower()), None)
    if found is None:
        raise missing_thing(
            f"The resource area {call.places['id']} is not registered.", "ResourceAreaNotFoundException"
        )
    return Answer(found)


def connection_data(call: Call) -> Answer:
    who = call.person.identity(TENANT)
    server = call.store.settings.is_server
    return Answer(
        {
            "authenticatedUser": who,
            "authorizedUser": who,
            "instanceId": INSTANCE_ID,
            "deploymentId": DEPLOYMENT_ID,
            "deploymentType": "onPremises" if server else "hosted",
            "lastUserAccess": stamp(call.store.now()),
            "locationServiceData": {
                "serviceOwner": "00025394-6065-48ca-87d9-7f5672854ef7",
                "defaultAccessMappingMoniker": "PublicAccessMapping",
                "lastChangeId": 1,
                "lastChangeId64": 1,
            },
            "webApplicationRelativeDirectory": "",
        }
    )


def _matches(person: Person, kind: str, wanted: str) -> bool:
    names = {"mailaddress": [person.mail], "accountname": [person.mail], "displayname": [person.name]}
    return wanted.casefold() in [name.casefold() for name in names.get(kind, [person.mail, person.name])]


def find_identities(call: Call) -> Answer:
    kind, wanted = call.query("searchFilter").casefold(), call.query("filterValue")
    people = call.store.people.people
    if kind:
        found = [one for one in people if _matches(one, kind, wanted)]
    elif ids := call.query("identityIds"):
        found = [one for one in people if one.id in ids.lower().split(",")]
    elif descriptors := call.query("subjectDescriptors"):
        found = [one for one in people if one.descriptor in descriptors.split(",")]
    else:
        raise invalid_argument("One of searchFilter, identityIds and subjectDescriptors must be given.")
    return collection([_identity(call, one) for one in found])


def _identity(call: Call, person: Person) -> dict[str, Any]:
    return {**person.identity(TENANT), "isActive": person.mail not in call.store.settings.departed_accounts}


def _hosted(call: Call) -> None:
    if call.store.settings.is_server:
        raise missing_thing("The graph is not part of this server.", "ServiceNotFoundException")


def list_users(call: Call) -> Answer:
    _hosted(call)
    token = call.query("continuationToken", "0")
    if not token.isdecimal():
        raise invalid_argument("The continuation token is not valid.")
    people = [one for one in call.store.people.people if one.mail not in call.store.settings.departed_accounts]
    start = int(token)
    page = people[start : start + USERS_PER_PAGE]
    more = {"X_MS_ContinuationToken": str(start + USERS_PER_PAGE)} if start + USERS_PER_PAGE < len(people) else {}
    return collection([one.member(call.store.base, TENANT) for one in page], **more)


def read_user(call: Call) -> Answer:
    _hosted(call)
    person = call.store.people.find(call.places["user"])
    if person is None:
        raise Refusal(404, f"VS403283: Could not find user {call.places['user']}.", "GraphSubjectNotFoundException")
    return Answer(person.member(call.store.base, TENANT))


ROUTES = [
    Route("OPTIONS", "", list_locations, None, "none"),
    Route("OPTIONS", "{area}", list_locations, None, "none"),
    Route("GET", "resourceareas", list_areas, locations.AREAS, "none"),
    Route("GET", "resourceareas/{id}", read_area, locations.AREAS, "none"),
    Route("GET", "connectiondata", connection_data, locations.CONNECTION, "none"),
    Route("GET", "identities", find_identities, locations.IDENTITIES, "none"),
    Route("GET", "graph/users", list_users, locations.USERS, "none"),
    Route("GET", "graph/users/{user}", read_user, locations.USERS, "none"),
]
