# SPDX-License-Identifier: MIT
"""From GRUB to dom0's shell and off again, on many machines."""
import re

import pytest

from shell import Shell

# firmware, CPUs, CPU model, memory, chipset: every value at least once, and what differs most together.
SHORT = [
    ("bios", 1, "Haswell", "256M", "q35"),
    ("bios", 2, "EPYC", "64M", "q35"),
    ("bios", 4, "max", "4G", "q35"),
    ("bios", 1, "qemu64", "128M", "pc"),
    ("uefi", 1, "EPYC", "256M", "q35"),
    ("uefi", 2, "Haswell", "4G", "q35"),
    ("uefi", 4, "max", "512M", "pc"),
]
LONG = [case for case in ((firmware, cpus, cpu, memory, "q35")
                          for firmware in ("bios", "uefi") for cpus in (1, 2, 4)
                          for cpu in ("Haswell", "EPYC", "max") for memory in ("64M", "256M", "4G"))
        if case not in SHORT and not (case[0] == "uefi" and case[3] == "64M")]  # OVMF itself needs more


def cases():
    for case in SHORT:
        yield pytest.param(*case, id="-".join(map(str, case)))
    for case in LONG:
        yield pytest.param(*case, id="-".join(map(str, case)), marks=pytest.mark.long)


@pytest.mark.parametrize("firmware,cpus,cpu,memory,chipset", cases())
def test_boot(machine, firmware, cpus, cpu, memory, chipset):
    with machine("loglvl=all", cpus=cpus, cpu=cpu, memory=memory, uefi=firmware == "uefi", chipset=chipset) as m:
        shell = Shell(m)
        info = "\n".join(shell.run("info"))
        assert re.search(rf"\b{cpus} (?:CPU|vCPU)s?\b", info), info
        m.audit_now()
        shell.poweroff()
