"""The log has seconds only: what happens in the second of a file is not lost behind it."""

from apps.sync.connectors.servicenow.connector import ServiceNowConnector
from apps.sync.engine.snapshot import ExternalRef

from .servicenow_instance import Instance, on_instance


def test_an_edit_right_after_a_file_comes_after_it() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        ref = ExternalRef(await instance.report())
        await instance.call(
            "POST",
            "/api/now/attachment/file",
            params={"table_name": "incident", "table_sys_id": ref.id, "file_name": "log.txt"},
            data=b"line",
            headers={"Content-Type": "text/plain"},
        )
        known = await connector.changes(ref, None)
        await instance.edit(ref.id, urgency="1", comments="It is urgent")
        news = await connector.changes(ref, known[-1].id)
        assert [change.attachment is not None for change in known] == [True]
        assert [change.fields["urgency"] for change in news if "urgency" in change.fields] == [("3", "1")]
        assert [change.comment.body for change in news if change.comment is not None] == ["It is urgent"]

    on_instance(play)
