"""How a database says that it cannot be had: full, locked, gone, or read-only."""

from django.db import InterfaceError, InternalError, OperationalError

# PostgreSQL says with an InternalError that it takes no writes.
OUTAGES = (OperationalError, InterfaceError, InternalError)
