"""The client of Rollcall."""

import functools
import os

from django.conf import settings
from rollcall import Client


def rollcall() -> Client:
    """Returns the client for views. Each process has its own, which its threads share."""
    return _client(os.getpid(), settings.ROLLCALL["patience"])


def rollcall_for_commands() -> Client:
    """Returns a client that waits longer, because nobody waits for it."""
    return _client(os.getpid(), settings.ROLLCALL["patience_of_commands"])


@functools.lru_cache
def _client(process: int, patience: float) -> Client:
    of = settings.ROLLCALL
    return Client(of["server"], token=of["token"], gallery=of["gallery"], ca=of["ca"], timeout=of["timeout"], patience=patience)


def forget_clients() -> None:
    """Lets the next call read the settings again: for tests."""
    _client.cache_clear()
