"""Processes of their own, for tests of what one process cannot show."""

import os
import signal
import subprocess

import pytest


def run(command, environment):
    """Exit status and output of a process; one that hangs is ended with all its children, and fails."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output = process.communicate(timeout=240)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"hung: {process.communicate()[0]}")
    return process.returncode, output
