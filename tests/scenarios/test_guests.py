# SPDX-License-Identifier: MIT
"""Test guests in place of dom0, on the hypervisor with assertions: each reports on the console."""
import os
import re

import pytest

from guests import DOMU_GUESTS, GUESTS
from machine import BUILD, TOP

REPORT = re.compile(r"^TEST ([^:\n]+): (PASS|FAIL|SKIP)(.*)$", re.M)
TOTALS = re.compile(r"^GUEST (\S+): (\d+) passed, (\d+) failed, (\d+) skipped$", re.M)


def cases():
    for guest in GUESTS:
        yield pytest.param(guest, id=guest.id, marks=[pytest.mark.long] if guest.long else [])


def test_table_is_complete():
    """Every folder of tests/guests that holds a guest is run, and nothing is listed that is not there."""
    folder = os.path.join(TOP, "tests/guests")
    there = {name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name, "main.c"))}
    assert there == {guest.name for guest in GUESTS} | DOMU_GUESTS


@pytest.mark.parametrize("guest", cases())
def test_guest(machine, tmp_path, guest):
    modules = [(os.path.join(BUILD, "tests/guests", guest.name), guest.arguments)]
    for number, (text, arguments) in enumerate(guest.modules):
        path = tmp_path / f"module{number}"
        path.write_text(text)
        modules.append((str(path), arguments))

    if guest.twin:
        modules.append((modules[0][0], ""))

    with machine(f"noreboot {guest.cmdline}", modules, cerne=os.path.join(BUILD, "debug/cerne"), cpus=guest.cpus,
                 memory=guest.memory, cpu=guest.cpu, uefi=guest.uefi) as m:
        if guest.crashes:
            m.expect(guest.crashes, timeout=guest.seconds)
            m.expect(r"Stopped \(noreboot\)")
            m.wait_halted()
            m.check_audit()
            return
        m.expect(r"GUEST \S+: \d+ passed, \d+ failed, \d+ skipped", timeout=guest.seconds)
        m.wait_off()
        said = m.output()

    reports = REPORT.findall(said)
    failures = [f"{name}:{text}" for name, verdict, text in reports if verdict == "FAIL"]
    assert not failures, "\n".join(failures)
    name, *totals = TOTALS.search(said).groups()
    assert name == guest.name
    counted = [sum(verdict == wanted for _, verdict, _ in reports) for wanted in ("PASS", "FAIL", "SKIP")]
    assert [int(n) for n in totals] == counted and counted[0] > 0
