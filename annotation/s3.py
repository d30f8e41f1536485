"""How S3-compatible stores are spoken to, as a source of pictures and as the store of an installation's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.config import Config


def client_config(endpoint: str, **more: Any) -> Config:
    """Settings of a client of the store at `endpoint`, Amazon's if it is empty; `more` are botocore's, times above all.

    botocore is loaded here: most installations have no store.
    """
    from botocore.config import Config

    return Config(
        # Other makers' stores know neither buckets as host names nor the newer checksums.
        s3={"addressing_style": "path" if endpoint else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        **more,
    )
