"""The suite's assertions explain themselves, though its modules are no test modules."""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{name}"
        for name in (
            "conformance_case",
            "conformance_changes",
            "conformance_doubt",
            "conformance_failures",
            "conformance_notices",
            "conformance_tickets",
            "conformance_writes",
        )
    )
)
