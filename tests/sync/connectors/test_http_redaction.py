"""What is kept of a call holds no secret (T12)."""

import pytest

from apps.sync.connectors.http import redact, redact_headers


class TestRedaction:
    @pytest.mark.parametrize(
        "text",
        [
            '{"access_token": "s3cret"}',
            '{"Password":"s3cret"}',
            '{"api_key" : "s3cret"}',
            '{"client_secret": "with \\" quote s3cret"}',
            '{"x": 1, "refresh_token": "s3cret',
            "grant_type=refresh&client_secret=s3cret&x=1",
            "https://x.example/file?sig=s3cret&x=1",
            "https://x.example/file?X-Amz-Signature=s3cret",
            '{"ApiKey": "s3cret"}',
            '{"authorization": "s3cret"}',
            "client_assertion=s3cret",
            "https://x.example/back?code=s3cret",
            "JWT=s3cret",
        ],
    )
    def test_takes_secrets_out(self, text: str) -> None:
        assert "s3cret" not in redact(text)

    @pytest.mark.parametrize("text", ['{"summary": "Lost my keys"}', "close_code=Solved&x=1", "no secrets at all"])
    def test_leaves_the_rest(self, text: str) -> None:
        assert redact(text) == text

    def test_cuts_what_nobody_reads_and_leaks_nothing_at_the_cut(self) -> None:
        body = '{"pad": "' + "x" * 1960 + '", "access_token": "s3cret-s3cret-s3cret"}'
        assert len(redact(body)) <= 2001
        assert "s3cret" not in redact(body)

    def test_of_headers_keeps_their_names(self) -> None:
        headers = {"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "Content-Type": "text/plain"}
        assert redact_headers(headers) == {"Authorization": "…", "X-Api-Key": "…", "Content-Type": "text/plain"}
