"""
A PostgreSQL database and a Redis database of one run.

Invariant: nothing that was there before is changed, and what a run made is gone after it. Servers that are missing
fail the tests; they are never skipped, because a skip is easily overlooked.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg2
import redis

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A server on which databases may be made, and one with a free database number.
POSTGRES = os.environ.get("DISTRIBUTED_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("DISTRIBUTED_REDIS", "redis://127.0.0.1:6379")
#: Says whose a Redis database is.
OWNER_KEY = "tests-of-airflow-provider-asposeocr"


@contextmanager
def own_database() -> Iterator[str]:
    """
    Make a PostgreSQL database.

    :return: yields its URL, without a driver: ``postgresql://...``.
    """
    name = f"airflow_tests_{uuid4().hex[:12]}"
    _run(f"create database {name}")
    try:
        yield urlsplit(POSTGRES)._replace(path=f"/{name}").geturl()
    finally:
        _run(f"drop database {name} with (force)")


def _run(statement: str) -> None:
    connection = psycopg2.connect(POSTGRES)
    try:
        connection.autocommit = True  # Databases are not made in transactions.
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


@contextmanager
def own_redis() -> Iterator[str]:
    """
    Take a Redis database that is empty.

    :return: yields its URL.
    """
    number = next((number for number in range(15, 0, -1) if _take(number)), None)
    if number is None:
        raise RuntimeError(f"No database of {REDIS} is empty.")
    url = f"{REDIS}/{number}"
    try:
        yield url
    finally:
        with redis.Redis.from_url(url) as client:
            client.flushdb()


def _take(number: int) -> bool:
    with redis.Redis.from_url(f"{REDIS}/{number}") as client:
        # Setting first and counting then lets only one of two runs believe that it was empty.
        if not client.set(OWNER_KEY, os.getpid(), nx=True):
            return False
        if client.dbsize() == 1:
            return True
        client.delete(OWNER_KEY)
        return False
