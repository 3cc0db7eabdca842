# SPDX-License-Identifier: MIT
"""Consoles of other domains, at dom0's shell."""
import re

from shell import Shell


def test_console_log(machine):
    """Without a domain: nobody's log, and the hypervisor's."""
    with machine(memory="128M") as m:
        shell = Shell(m)
        assert re.fullmatch(r" *ID +NAME +STATE +KEPT +PRINTED", shell.run("console-log")[0])
        assert "no console of a domain 'nobody'" in shell.run("console-log nobody")[0]
        assert any("CPUs: 1 online" in line for line in shell.run("console-log hypervisor"))
        shell.poweroff()
