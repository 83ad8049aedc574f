"""Who asks Earth Engine: a user, a service account, the machine's default, or nobody."""

from pathlib import Path
from typing import Any

import google.auth
import google.auth.credentials
import google.oauth2.credentials
import google.oauth2.service_account
from ee import oauth
from google.auth.exceptions import GoogleAuthError

from seco.errors import ConfigError, reason_of

KINDS = ("user", "adc", "anonymous")


def load_credentials(kind: str) -> Any:  # noqa: ANN401 - google-auth has no common type of these
    """Credentials of a kind; nothing is asked of a server yet.

    Args:
        kind: ``"user"`` (of ``earthengine authenticate``), ``"adc"`` (application default), ``"anonymous"`` (for other
            endpoints than Google's), or the file of a service account's key.

    Raises:
        ConfigError: If there are none; the text names the command that makes them.
    """
    if kind == "anonymous":
        return google.auth.credentials.AnonymousCredentials()
    if kind == "user":
        return _user()
    if kind == "adc":
        return _application_default()
    return _service_account(Path(kind))


def project_of(credentials: Any, project: str | None) -> str:  # noqa: ANN401
    """The Cloud project that requests are counted on: the one given, or the credentials' own.

    Raises:
        ConfigError: If there is none.
    """
    found = project or getattr(credentials, "quota_project_id", None) or getattr(credentials, "project_id", None)
    if not found or oauth.is_sdk_project(found):
        raise ConfigError(
            "project: expected a Cloud project registered for Earth Engine, got none; give --project, or run "
            "`earthengine set_project PROJECT`"
        )
    return str(found)


def _user() -> Any:  # noqa: ANN401
    try:
        arguments = oauth.get_credentials_arguments()
    except (OSError, ValueError):
        arguments = {}
    if not arguments.get("refresh_token"):
        raise ConfigError(
            "credentials: expected those of `earthengine authenticate`, got none; run `earthengine authenticate`, or give "
            "--credentials adc or the file of a service account's key"
        )
    return google.oauth2.credentials.Credentials(None, **arguments)


def _application_default() -> Any:  # noqa: ANN401
    try:
        credentials, _ = google.auth.default(scopes=oauth.SCOPES)
    except GoogleAuthError:
        raise ConfigError(
            "credentials: expected application default credentials, got none; run "
            "`gcloud auth application-default login` or set GOOGLE_APPLICATION_CREDENTIALS"
        ) from None
    return credentials


def _service_account(file: Path) -> Any:  # noqa: ANN401
    try:
        return google.oauth2.service_account.Credentials.from_service_account_file(str(file), scopes=oauth.SCOPES)
    except OSError as error:
        raise ConfigError(
            f"credentials: expected {', '.join(KINDS)} or the key file of a service account, got {file} "
            f"({reason_of(error)}); check the path"
        ) from None
    except (ValueError, GoogleAuthError):
        # Its own text may quote the key.
        raise ConfigError(
            f"credentials: expected the JSON key of a service account, got {file} with something else; make a key in the "
            "Cloud console and give its file"
        ) from None
