# SPDX-License-Identifier: MIT
"""newlib on the runtime, with threads: the one test guest that is linked as dom0 is (tests/guests/libc)."""
import os
import re

import pytest

from machine import BUILD
from test_guests import REPORT, TOTALS


@pytest.mark.parametrize("cmdline", ["", "dom0_mem=8M"], ids=["all-memory", "8M"])
def test_libc(machine, cmdline):
    modules = [(os.path.join(BUILD, "tests/guests/libc"), "")]
    with machine(cmdline, modules, cerne=os.path.join(BUILD, "debug/cerne"), memory="128M", cpus=2) as m:
        m.expect(r"GUEST libc: \d+ passed")
        m.wait_off()
        said = m.output()
    assert TOTALS.search(said).group(3) == "0", [report for report in REPORT.findall(said) if report[1] == "FAIL"]
    assert REPORT.search(said)
    # Six threads printed twenty lines each, and none broke another's.
    assert len(re.findall(r"^line of thread \d number \d+, pi is 3\.1415926536 end$", said, re.M)) == 120
