# SPDX-License-Identifier: MIT
"""How much memory Linux has as the first domain: as it was told, less by its balloon, more up to its maximum."""
import os
import re

import pytest

import machine as machine_module
from linux import Linux, linux_machine

PROBE = os.path.join(machine_module.BUILD, "tests/probe")
BALLOON = "/sys/devices/system/xen_memory/xen_memory0"


def kib(linux, field):
    return int(re.search(rf"{field}:\s+(\d+)", linux.run("cat /proc/meminfo")).group(1))


def balloon_to(linux, size):
    """Set the balloon's target in KiB and wait until Linux has as much."""
    linux.run(f"echo {size} > {BALLOON}/target_kb; "
              f"while [ $(cat {BALLOON}/info/current_kb) != {size} ]; do usleep 20000; done")


class Keeper:
    """A program in the background of Linux that holds memory and can tell whether it is as it was."""

    def __init__(self, linux, mib):
        self.linux, self.pages = linux, mib << 8
        linux.run("rm -f /tmp/ask /tmp/told; mkfifo /tmp/ask")
        linux.run(f"(probe memory {mib} < /tmp/ask > /tmp/told &) ; exec 9> /tmp/ask")
        self.told = 0
        self.wait()

    def wait(self):
        self.told += 1
        said = self.linux.run(f"while [ $(wc -l < /tmp/told) -lt {self.told} ]; do usleep 20000; done; cat /tmp/told")
        said = [line for line in said.split("\n") if line.startswith("probe:")]  # the kernel may say something too
        assert said[self.told - 1] == f"probe: {self.pages} pages, 0 wrong", said

    def check(self):
        self.linux.run("echo check >&9")
        self.wait()

    def end(self):
        self.check()
        self.linux.run("echo >&9; exec 9>&-")


# Linux makes room for its maximum when it boots, unless mem= forbids: then it has to add memory as a machine does into
# which somebody plugs some.
@pytest.mark.parametrize("arguments", [pytest.param("", marks=pytest.mark.long), "mem=512M"], ids=["room", "hotplug"])
def test_linux_balloon(machine, arguments):
    """From 384 MiB down, up again, and to the maximum; what programs hold there stays as it is."""
    with linux_machine(machine, dict(cpu="Haswell", cpus=2, memory="1G"), arguments, memory="dom0_mem=384M,max:640M",
                       files={"bin/probe": PROBE}) as m:
        linux = Linux(m)
        at_boot = kib(linux, "MemTotal")
        linux.run("echo online > /sys/devices/system/memory/auto_online_blocks")
        keeper = Keeper(linux, 24)
        balloon_to(linux, 256 << 10)
        assert kib(linux, "MemTotal") == at_boot - (128 << 10)
        keeper.check()
        balloon_to(linux, 384 << 10)
        balloon_to(linux, 640 << 10)
        assert kib(linux, "MemTotal") >= at_boot + (250 << 10)
        if arguments:
            assert "20000000-2fffffff : System RAM" in linux.run("cat /proc/iomem")
        keeper.end()
        big = Keeper(linux, 128 if arguments else 280)  # into what is new, or more than there was
        m.audit_now()
        big.end()
        balloon_to(linux, 300 << 10)
        linux.poweroff()


@pytest.mark.parametrize("option, low, high", [("min:128M,-64M", 300, 448), ("-64M,max:192M", 190, 193),
                                               ("64M,min:160M", 160, 160)])
def test_memory_option(machine, option, low, high):
    """dom0_mem's forms: all but so much, at least, at most."""
    with machine(f"dom0_mem={option}", memory="512M") as m:
        said = m.expect(r"dom0: [^\n]* (\d+) KiB, entry").group(1)
        assert low <= int(said) >> 10 <= high, said
        m.send("poweroff\r")
        m.wait_off()
