"""The root of every error that gittrack raises on purpose.

```
GittrackError                 exit code 1
├── UsageError                exit code 2: the call itself is wrong
├── DivergedError             exit code 4: two sides changed the same experiment
└── (leaf errors live beside the code that raises them)
```

Exit code 3 is an unexpected error (a defect) and 130 an interruption; both are decided by the command line.
"""

from __future__ import annotations


class GittrackError(Exception):
    """An error that a person can act upon.

    Args:
        message: What was wrong, with the offending value; no final full stop.
        hint: The way out, as one imperative sentence; no final full stop.

    Example:
        >>> error = GittrackError("no experiment 'brave-fox'", hint="run 'gittrack exp list'")
        >>> error.exit_code, error.hint
        (1, "run 'gittrack exp list'")
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(GittrackError):
    """The call is wrong: an argument has a wrong type, form or combination."""

    exit_code = 2


class DivergedError(GittrackError):
    """Two sides changed the same experiment and neither contains the other."""

    exit_code = 4
