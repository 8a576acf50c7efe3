"""Run a management command, and return what it says."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command


def run(*arguments: str | Path, expect_failure: bool = False) -> tuple[str, str]:
    """Run the command; return what it says to its standard output and to its standard error."""
    output, errors = io.StringIO(), io.StringIO()
    if expect_failure:
        with pytest.raises(CommandError) as failure:
            call_command(*map(str, arguments), stdout=output, stderr=errors)
        assert failure.value.returncode == 1
        errors.write(str(failure.value))
    else:
        call_command(*map(str, arguments), stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()
