"""Limits of one expression; a statement's are in :mod:`.context`, nesting in the text is the parser's."""

from __future__ import annotations

from typing import Final

MAX_EXPRESSION_DEPTH: Final = 1000
"""Deepest bound expression: rewrite rules and evaluation recurse into it."""
LONG_CHAIN: Final = 32
"""Operators in a row from which on ``a + b - c ...`` is bound as a chain and not as calls nested in each other."""
MAX_EXPRESSION_SIZE: Final = 200_000
"""Most parts of one expression once its aliases are written out, which can double it at every select item."""
