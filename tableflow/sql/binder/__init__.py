"""sqlglot's trees into logical plans: names to column ids, calls to registry functions, subqueries to joins.

Takes a statement's text, a frozen catalog and the function registry; gives statements as data, whose plans have
unique column ids.  Sees no physical plan, no connector and no data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tableflow.catalog.provider import Catalog
    from tableflow.config import Settings
    from tableflow.expressions.registry import StatementClock
    from tableflow.sql.binder.context import Parameters
    from tableflow.sql.statements import Statement


def bind(
    text: str,
    start: int,
    catalog: Catalog,
    settings: Settings,
    parameters: Parameters = (),
    clock: StatementClock | None = None,
) -> Statement:
    """The statement that the text is; ``start`` is its offset in the script, into which all spans point.

    ``clock`` is its time, now without one.

    Raises :class:`~tableflow.errors.TableFlowError` for whatever is wrong with it.
    """
    # sqlglot takes 0.16 s to import, which a shell that only starts should not wait for
    from tableflow.sql.binder import statement

    return statement.bind(text, start, catalog, settings, parameters, clock)
