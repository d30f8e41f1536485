"""Log lines as JSON, so that one job or one request can be followed with ordinary tools."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

from annotation.log_context import log_fields_now

EXTRA = (
    *("job", "kind", "attempt", "queue", "status_code", "code", "dataset", "image"),
    *("method", "path", "milliseconds"),
)


_LINK = re.compile(r"(/join/|/api/invitations/)[^/\s?\"']+")


def without_secrets(text: str) -> str:
    """A path, or a line with one, without the secret of an invitation: whoever reads the log could join by it."""
    return _LINK.sub(r"\1***", text)


class JsonFormatter(logging.Formatter):
    """{time, level, logger, message, request or job, ...known extras, trace?} on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record; an exception becomes the field `trace`."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        line.update(log_fields_now())
        line.update({name: getattr(record, name) for name in EXTRA if hasattr(record, name)})
        if "path" in line:
            line["path"] = without_secrets(str(line["path"]))
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=True)
