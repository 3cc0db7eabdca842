# SPDX-License-Identifier: MIT
"""Fixtures and the one-line count that the runner of the test layers reads."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import machine as machine_module  # noqa: E402


@pytest.fixture
def machine(request):
    """Machine(...) named after the test that uses it."""

    def make(*args, **kwargs):
        name = request.node.name.removeprefix("test_") + (f"-{make.count}" if make.count else "")
        make.count += 1
        return machine_module.Machine(name, *args, **kwargs)

    make.count = 0
    return make


def pytest_configure(config):
    config.addinivalue_line("markers", "long: part of the full matrix only (make test-long)")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    count = {key: len(terminalreporter.stats.get(key, [])) for key in ("passed", "failed", "error", "skipped")}
    terminalreporter.write_line(f"scenarios: {count['passed']} passed, {count['failed'] + count['error']} failed"
                                + (f", {count['skipped']} skipped" if count["skipped"] else ""))
