"""The resources of the service: what clients discover with OPTIONS before they call anything."""

from dataclasses import dataclass
from typing import Any

from .settings import Settings

CORE_AREA = "79134c72-4a58-4b42-976c-04e7115f32bf"
TRACKING_AREA = "5264459e-e5e0-4bd8-b118-0985e68a4ec5"
IDENTITY_AREAS = {
    "8a3d49b8-91f0-46ef-b33d-dda338c25db3": "IMS",
    "bb1e7ec9-e901-4b68-999a-de7012b920f8": "Graph",
    "fc3682be-3d6c-427a-87c8-e527b16a1d05": "Identity",
}


@dataclass(frozen=True, slots=True)
class Location:
    """One resource. ``is_preview`` ones never left preview: they want the flag in the api-version."""

    id: str
    area: str
    name: str
    template: str
    version: int
    is_preview: bool = False

    def as_json(self, settings: Settings) -> dict[str, Any]:
        return {
            "id": self.id,
            "area": self.area,
            "resourceName": self.name,
            "routeTemplate": self.template,
            "resourceVersion": self.version,
            "minVersion": "1.0",
            "maxVersion": settings.latest_version,
            "releasedVersion": "0.0" if self.is_preview else settings.released_version,
        }


def _tracking(id: str, name: str, tail: str, version: int, scope: str = "{project}/") -> Location:
    return Location(id, "wit", name, f"{scope}_apis/{{area}}/{tail}", version)


RESOURCE = "{resource}"
COMMENT_PATH = "workItems/{workItemId}/comments/{commentId}"
WORK_ITEM = _tracking("72c7ddf8-2cdc-4f60-90cd-ab71c14a399b", "workItems", "{resource}/{id}", 3)
NEW_ITEM = _tracking("62d3d110-0047-428c-ad3c-4fe872c91c74", "workItems", "{resource}/${type}", 3)
ITEMS_BATCH = _tracking("908509b6-4248-4475-a1cd-829139ba419f", "workItemsBatch", RESOURCE, 1)
ITEMS_DELETE = _tracking("8bc57545-27e5-420d-b709-f6e3ebcc1fc1", "workItemsDelete", RESOURCE, 1)
BATCH = _tracking("92eefc1f-1e81-473d-88d6-749205248dc3", "batch", "${resource}", 2, scope="")
UPDATES = _tracking("6570bf97-d02c-4a91-8d93-3abe9895b1a9", "updates", "workItems/{id}/updates/{updateNumber}", 4)
REVISIONS = _tracking(
    "a00c85a5-80fa-4565-99c3-bcd2181434bb", "revisions", "workItems/{id}/revisions/{revisionNumber}", 3
)
RECYCLE_BIN = _tracking("b70d8d39-926c-465e-b927-b1bf0e5ca0e0", "recyclebin", "{resource}/{id}", 2)
ATTACHMENTS = _tracking("e07b5fa4-1499-494d-a496-64b860fd64ff", "attachments", "{resource}/{id}", 4)
WIQL = _tracking("1a9c53f7-f243-4447-b110-35ef023636e4", "wiql", RESOURCE, 2, scope="{project}/{team}/")
REVISION_FEED = _tracking("f828fe59-dd87-495d-a17c-7a8d6211ca6c", "workItemRevisions", "reporting/{resource}", 2)
LINK_FEED = _tracking("b5b5b6d0-0308-40a1-b3f4-b9bb3c66878f", "workItemLinks", "reporting/{resource}", 3)
DISCUSSION_FEED = _tracking(
    "4a644469-90c5-4fcc-9a9f-be0827d369ec",
    "workItemRevisionsDiscussions",
    "reporting/workItemRevisions/discussions",
    1,
)
ITEM_TYPES = _tracking("7c8d7a76-4a09-43e8-b5df-bd792f4ac6aa", "workItemTypes", "{resource}/{type}", 2)
TYPE_STATES = _tracking("7c9d7a76-4a09-43e8-b5df-bd792f4ac6aa", "workItemTypeStates", "workitemtypes/{type}/states", 1)
TYPE_FIELDS = _tracking(
    "bd293ce5-3d25-4192-8e67-e8092e879efb", "workItemTypesField", "workitemtypes/{type}/fields/{field}", 3
)
FIELDS = _tracking("b51fd764-e5c2-4b9b-aaf7-3395cf4bdd94", "fields", "{resource}/{fieldNameOrRefName}", 3)
RELATION_TYPES = _tracking(
    "f5d33bc9-5b49-4a3c-a9bd-f3cd46dd2165", "workItemRelationTypes", "{resource}/{relation}", 2, ""
)
ROOT_NODES = _tracking("a70579d1-f53a-48ee-a5be-7be8659023b9", "classificationNodes", RESOURCE, 2)
NODES = _tracking(
    "5a172953-1b41-49d3-840a-33f79c3ce89f", "classificationNodes", "{resource}/{structureGroup}/{*path}", 2
)
TAGS = _tracking("bc15bc60-e7a8-43cb-ab01-2106be3983a1", "tags", "{resource}/{tagIdOrName}", 1)
COMMENTS = Location(
    "608aac0a-32e1-4493-a863-b9cf4566d257", "wit", "comments", "{project}/_apis/wit/" + COMMENT_PATH, 4, is_preview=True
)
COMMENT_VERSIONS = Location(
    "49e03b34-3be0-42e3-8a5d-e8dfb88ac954",
    "wit",
    "commentsVersions",
    "{project}/_apis/wit/" + COMMENT_PATH + "/versions/{version}",
    1,
    is_preview=True,
)
PROJECTS = Location("603fe2ac-9723-48b9-88ad-09305aa6c6e1", "core", "projects", "_apis/{resource}/{*projectId}", 4)
CONNECTION = Location("00d9565f-ed9c-4a06-9a50-00e7896ccab4", "Location", "ConnectionData", "_apis/{resource}", 1, True)
AREAS = Location(
    "e81700f7-3be2-46de-8624-2eb35882fcaa", "Location", "ResourceAreas", "_apis/{resource}/{areaId}", 1, True
)
IDENTITIES = Location("28010c54-d0c0-4c89-a5b0-1c9e188b9fb7", "IMS", "Identities", "_apis/{resource}/{identityId}", 1)
USERS = Location(
    "005e26ec-6b77-4e4f-a986-b3827bf241f5", "Graph", "Users", "_apis/{area}/{resource}/{userDescriptor}", 1, True
)


def _hooks(id: str, name: str, tail: str) -> Location:
    return Location(id, "hooks", name, f"_apis/{{area}}/{tail}", 1)


SUBSCRIPTIONS = _hooks("fc50d02a-849f-41fb-8af1-0a5216103269", "subscriptions", "{resource}/{subscriptionId}")
SUBSCRIPTIONS_QUERY = _hooks("c7c3c1cf-9e05-4c0d-a425-a0f922c2c6ed", "subscriptionsQuery", RESOURCE)
NOTIFICATIONS = _hooks(
    "0c62d343-21b0-4732-997b-017fde84dc28",
    "notifications",
    "subscriptions/{subscriptionId}/{resource}/{notificationId}",
)
NOTIFICATIONS_QUERY = _hooks("1a57562f-160a-4b5c-9185-905e95b39d36", "notificationsQuery", RESOURCE)
TEST_NOTIFICATIONS = _hooks("1139462c-7e27-4524-a997-31b9b73551fe", "testNotifications", "{resource}/{notificationId}")
PUBLISHERS = _hooks("1e83a210-5b53-43bc-90f0-d476a4e5d731", "publishers", "{resource}/{publisherId}")
EVENT_TYPES = _hooks(
    "db4777cd-8e08-4a84-8ba3-c974ea033718", "eventTypes", "publishers/{publisherId}/{resource}/{eventTypeId}"
)
CONSUMERS = _hooks("4301c514-5f34-4f5d-a145-f0ea7b5b7d19", "consumers", "{resource}/{consumerId}")

LOCATIONS = [value for value in list(globals().values()) if isinstance(value, Location)]
