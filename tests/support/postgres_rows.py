"""What a query finds in a PostgreSQL database of a test."""

from __future__ import annotations

from typing import Any

import psycopg2


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """
    Run a query.

    :param url: URL of the database.
    :param query: SQL.
    :return: The rows.
    """
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())
    finally:
        connection.close()
