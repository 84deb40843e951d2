"""Where a model is served, and how fast it is asked; nothing of it decides what a text says."""

import ipaddress
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from converters.errors import SettingsError


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A key by the name of its variable, so that no record holds the key itself."""

    variable: str

    def read(self) -> str:
        """The key.

        Raises:
            SettingsError: The variable is not set, or holds what no header can carry.
        """
        key = os.environ.get(self.variable, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            found = "holds characters that no key has" if key else "is not set"
            raise SettingsError(
                self.variable, found, "set it in the environment; it is never written anywhere"
            )
        return key


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSettings:
    """Where requests go, and the limits that they keep to.

    Attributes:
        base_urls: Servers of the same model, used in turn.
        api_key: The key, or None where the servers ask for none.
        concurrency: The most requests at once at each server.
        request_seconds: The longest that one request may take.
        prompt_seconds: The longest that a prompt may take from its first sending, with all tries.
        patience_seconds: How long servers may be unreachable, or ask for a pause.
        tries: How often a prompt is sent; sendings that a server was too busy for do not count.
        max_tokens_per_minute: The most tokens in any minute, or None.
        budget_tokens: The most tokens in all, or None.
        allow_image_egress: Whether images may be sent.
    """

    base_urls: tuple[str, ...]
    api_key: ApiKey | None = None
    concurrency: int = 64
    request_seconds: float = 180.0
    prompt_seconds: float = 900.0
    patience_seconds: float = 600.0
    tries: int = 6
    max_tokens_per_minute: int | None = None
    budget_tokens: int | None = None
    allow_image_egress: bool = False

    @property
    def is_elsewhere(self) -> bool:
        """Whether a server is on another machine than this one."""
        return not all(_is_here(urlsplit(url).hostname or "") for url in self.base_urls)

    def __post_init__(self) -> None:
        if not self.base_urls:
            raise SettingsError("--base-url", "no server is named", "give at least one")
        for url in self.base_urls:
            _require_plain(url)
        for name in ("concurrency", "request_seconds", "prompt_seconds", "tries",
                     "max_tokens_per_minute", "budget_tokens"):  # fmt: skip
            limit = getattr(self, name)
            if limit is not None and limit <= 0:
                raise SettingsError(name, f"is {limit}", "a limit is above zero")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _require_plain(url: str) -> None:
    """Raise SettingsError where a URL is none, or carries a key; it is not repeated."""
    try:
        parts = urlsplit(url)
        host, has_login = parts.hostname, parts.username or parts.password
    except ValueError:
        host, has_login, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise SettingsError("--base-url", "is not an http or https URL", "as https://host/v1")
    if has_login or parts.query or parts.fragment:
        raise SettingsError(
            "--base-url",
            f"for {host} carries more than an address",
            "keys come from the environment, see --api-key-env",
        )
