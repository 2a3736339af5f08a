"""What happens behind a session, told with the outcome of its next statement."""

from __future__ import annotations

from tableflow.records import replace
from tableflow.session.outcome import Outcome
from tableflow.storage.database import Database
from tableflow.storage.maintenance import describe_error


class News:
    """Failures of what a database does behind, each told once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._told: str | None = None

    def told_with(self, outcome: Outcome) -> Outcome:
        """The outcome, with a warning if there is news."""
        maintenance = self._database.maintenance
        error = None if maintenance is None else maintenance.error
        text = None if error is None else describe_error(error)
        if text == self._told:
            return outcome
        self._told = text
        if text is None:
            return outcome
        news = f"the database's log could not be written into files (nothing is lost, it grows): {text}"
        return replace(outcome, warnings=(*outcome.warnings, news))
