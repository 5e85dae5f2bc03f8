"""Lists as files for spreadsheets: CSV and XLSX, safe to open."""

import csv
import io
import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.http import FileResponse
from django.utils import timezone
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

IN_MEMORY = 4 * 1024 * 1024
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "|", "%")


def guarded(text: str) -> str:
    """``text`` as a spreadsheet shows it and never runs it: what looks like a formula begins with an apostrophe."""
    clean = str(ILLEGAL_CHARACTERS_RE.sub("", text))
    return f"'{clean}" if clean.lstrip(" ").startswith(_STARTS_FORMULA) else clean


def csv_file(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> FileResponse:
    """A CSV download, UTF-8 with a byte order mark because Excel takes it for Latin-1 without; times in ISO 8601."""
    binary = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  the response closes it
    text = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(header)
    for row in rows:
        writer.writerow([_plain(value) for value in row])
    text.detach()
    return _download(binary, f"{name}.csv", "text/csv; charset=utf-8")


def xlsx_file(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> FileResponse:
    """An XLSX download, written row by row; times are dates in the reader's zone."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title=name[:31])
    sheet.freeze_panes = "A2"
    sheet.append(list(header))
    for row in rows:
        sheet.append([_cell(value) for value in row])
    binary = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  the response closes it
    book.save(binary)
    return _download(binary, f"{name}.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(timespec="seconds")
    return "" if value is None else guarded(str(value))


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return timezone.localtime(value).replace(tzinfo=None, microsecond=0)
    return value if isinstance(value, int | float) else _plain(value)


def _download(binary: Any, name: str, content_type: str) -> FileResponse:
    binary.seek(0)
    return FileResponse(binary, as_attachment=True, filename=name, content_type=content_type)
