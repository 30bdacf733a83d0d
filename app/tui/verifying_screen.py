"""/verify on the main screen."""

from ..engine.verify_events import MAX_ROUNDS
from .panes_screen import PanesScreen


class VerifyingScreen(PanesScreen):
    """A screen whose session can check the project; what cannot be done is said in a toast."""

    def action_verify(self) -> None:
        """Run the project's checks and let the model mend what fails, as often as the settings say."""
        self._verify(None)

    def verify_rounds(self, argument: str) -> None:
        """The same with the number of rounds that was typed."""
        if not argument.isascii() or not argument.isdecimal() or int(argument) > MAX_ROUNDS:
            self.notify(
                f"/verify takes a number of rounds from 0 (only check) to {MAX_ROUNDS}, not {argument!r}.",
                severity="warning",
                markup=False,
            )
            return
        self._verify(int(argument))

    def _verify(self, rounds: int | None) -> None:
        problem = self._session.verify(rounds)
        if problem:
            self.notify(problem, severity="warning", markup=False)
            return
        self._prompt.focus()  # where Esc stops it
