"""ServiceNow through its Table and Attachment APIs."""
