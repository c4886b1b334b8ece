"""Open a bucket or container through obstore, with what the user's environment says and nothing else."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gittrack.secrets import mask_secrets
from gittrack.storage.protocol import StorageError
from gittrack.storage.urls import ALLOW_HTTP_VARIABLE, check_encryption, is_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore.store import ObjectStore

    from gittrack.storage.urls import StorageUrl

_REQUEST_TIMEOUT = timedelta(minutes=10)  # for one whole request; the line may be slow
_SILENCE_TIMEOUT = timedelta(seconds=60)
_CONNECT_TIMEOUT = timedelta(seconds=10)
_QUERY = re.compile(r"\?[^\s]*")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
_ALLOW_HTTP = (ALLOW_HTTP_VARIABLE, "AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP")
# What obstore reads itself from the environment of the process, so that a given environment counts in its place.
_S3_VARIABLES = """
AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION
AWS_ENDPOINT AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3
AWS_SKIP_SIGNATURE AWS_VIRTUAL_HOSTED_STYLE_REQUEST AWS_REQUEST_PAYER
AWS_SERVER_SIDE_ENCRYPTION AWS_SSE_KMS_KEY_ID AWS_SSE_BUCKET_KEY_ENABLED
AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN AWS_ROLE_SESSION_NAME
AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
AWS_METADATA_ENDPOINT
"""
_GCS_VARIABLES = """
GOOGLE_APPLICATION_CREDENTIALS GOOGLE_SERVICE_ACCOUNT GOOGLE_SERVICE_ACCOUNT_PATH GOOGLE_SERVICE_ACCOUNT_KEY
GOOGLE_SKIP_SIGNATURE
"""
_AZURE_VARIABLES = """
AZURE_STORAGE_ACCOUNT_NAME AZURE_STORAGE_ACCOUNT_KEY AZURE_STORAGE_ACCESS_KEY
AZURE_STORAGE_SAS_KEY AZURE_STORAGE_SAS_TOKEN AZURE_STORAGE_TOKEN
AZURE_STORAGE_CLIENT_ID AZURE_STORAGE_CLIENT_SECRET AZURE_STORAGE_TENANT_ID
AZURE_CLIENT_ID AZURE_CLIENT_SECRET AZURE_TENANT_ID AZURE_FEDERATED_TOKEN_FILE AZURE_AUTHORITY_HOST
AZURE_STORAGE_ENDPOINT AZURE_ENDPOINT AZURE_USE_AZURE_CLI AZURE_STORAGE_USE_EMULATOR AZURE_SKIP_SIGNATURE
"""


class ExtraMissingError(StorageError):
    """A package that only this kind of storage needs is not installed."""


def open_store(url: StorageUrl, environ: Mapping[str, str], n_retries: int) -> ObjectStore:
    """Open a bucket or container; nothing is contacted yet.

    Args:
        url: Such as ``s3://bucket/prefix``.
        environ: The user's environment, with the credentials.
        n_retries: How often obstore itself tries a request again.

    Raises:
        ExtraMissingError: obstore is not installed.
        StorageError: The settings make no sense, or the line would not be encrypted.
    """
    try:
        from obstore.exceptions import BaseError
        from obstore.store import AzureStore, GCSStore, S3Store
    except ImportError as error:
        raise ExtraMissingError(
            f"storages of {url.scheme}:// need the package obstore", hint="pip install 'gittrack[storage]'"
        ) from error
    kind: Any
    if url.scheme in {"s3", "s3a"}:
        kind, variables = S3Store, _S3_VARIABLES
    elif url.scheme == "gs":
        kind, variables = GCSStore, _GCS_VARIABLES
    else:
        kind, variables = AzureStore, _AZURE_VARIABLES
    try:
        store: ObjectStore = kind.from_url(
            str(url),
            config={name.lower(): environ[name] for name in variables.split() if environ.get(name)},
            client_options={
                "allow_http": _may_be_plain(environ),
                "connect_timeout": _CONNECT_TIMEOUT,
                "read_timeout": _SILENCE_TIMEOUT,
                "timeout": _REQUEST_TIMEOUT,
            },
            retry_config={"max_retries": n_retries, "retry_timeout": _REQUEST_TIMEOUT},
        )
    except (BaseError, ValueError) as error:
        raise StorageError(f"{url} cannot be opened: {say(error)}") from error
    return store


def say(error: Exception) -> str:
    """Return what obstore says, without its debugging aid and without queries, which may hold a signature."""
    said = str(error).partition("\n\nDebug source")[0].replace("\n", " ")
    words = re.search(r"<Message>([^<]{1,200})</Message>", said)
    text = f"{said.partition('<')[0].rstrip(': ')}{f': {words[1]}' if words else ''}"
    return mask_secrets(_QUERY.sub("", text))[:400]


def _may_be_plain(environ: Mapping[str, str]) -> bool:
    """Return whether a line without encryption will do: allowed by the user, or to this machine."""
    if any(is_allowed(environ, variable) for variable in _ALLOW_HTTP):
        return True
    endpoints = [environ[name] for name in _ENDPOINTS if environ.get(name)]
    for endpoint in endpoints:
        check_encryption(endpoint, environ)
    is_emulated = is_allowed(environ, "AZURE_STORAGE_USE_EMULATOR")  # on this machine
    return is_emulated or any(endpoint.lower().startswith("http://") for endpoint in endpoints)
