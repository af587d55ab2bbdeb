"""Lists: newest first, a cursor that is the last id seen, one query more than a page needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, create_model
from sqlalchemy import Select, Table
from sqlalchemy.engine import Connection

from hub.web.api.schemas import Out, Page

T = TypeVar("T", bound=BaseModel)


@cache
def list_of(item: type[BaseModel]) -> type[BaseModel]:
    """The model of a list: {"items": [...], "next_cursor": ...}."""
    return create_model(
        item.__name__.removesuffix("Out") + "List",
        __base__=Out,
        __doc__="A page of a list; next_cursor null = the last one.",
        items=(list[item], ...),  # type: ignore[valid-type]
        next_cursor=(str | None, None),
    )


def page(
    conn: Connection,
    query: Select[Any],
    table: Table,
    asked: Page,
    item: type[T],
    show: Callable[[Sequence[Any]], Sequence[T]],
) -> BaseModel:
    """One page of a query over a table with ids, newest first. `show` turns its rows into items."""
    query = query.order_by(table.c.id.desc()).limit(asked.limit + 1)
    if asked.cursor is not None:
        query = query.where(table.c.id < int(asked.cursor))
    rows = conn.execute(query).all()
    more = len(rows) > asked.limit
    rows = rows[: asked.limit]
    return list_of(item)(items=show(rows), next_cursor=str(rows[-1].id) if more else None)
