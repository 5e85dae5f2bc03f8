"""Commands that measure; nothing in here is a test, because machines are noisy and tests must not be."""
