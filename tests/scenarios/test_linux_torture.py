# SPDX-License-Identifier: MIT
"""A userland that strains every path between Linux and the hypervisor: stress-ng, a debugger's traps, the clock."""
import os
import re
import time

import pytest

import machine as machine_module
from linux import Linux, linux_machine, package_program

TRACE = os.path.join(machine_module.BUILD, "tests/trace")
PROBE = os.path.join(machine_module.BUILD, "tests/probe")

# A watchpoint in the debug registers, then single steps until the function has been left: gdb's own, each one a trap.
GDB = ["break count", "run", "watch counter", "continue", "continue", "continue", "delete",
       "stepi", "nexti", "info registers rip", "finish", "continue"]

# Each line runs at once, as many operations as are named or for ten seconds;
# stress-ng checks what they computed.
STRESS = [
    "--fork 2 --fork-ops 100",
    "--vfork 1 --vfork-ops 100 --clone 1 --clone-ops 40",
    "--mmap 2 --mmap-ops 4 --mmap-bytes 8M",
    "--vm 2 --vm-ops 2000 --vm-bytes 8M",
    "--fault 2 --fault-ops 1000",
    "--mremap 1 --mremap-ops 20 --mremap-bytes 4M --mprotect 1 --mprotect-ops 2000",
    "--sigsegv 1 --sigsegv-ops 2000 --sigfpe 1 --sigfpe-ops 2000 --sigtrap 1 --sigtrap-ops 2000",
    "--vecmath 2 --vecmath-ops 20 --matrix 2 --matrix-ops 20 --matrix-size 32",
    "--fp-error 1 --fp-error-ops 2000 --vecfp 1 --vecfp-ops 4 --vecwide 1 --vecwide-ops 4",
    "--clock 1 --clock-ops 200 --timer 1 --timer-ops 2000 --vdso 1 --vdso-ops 20000",
    "--futex 2 --futex-ops 1000 --context 2 --context-ops 500",
    "--switch 2 --switch-ops 2000 --pipe 2 --pipe-ops 10000",
    "--tlb-shootdown 1 --tlb-shootdown-ops 20 --mmap 1 --mmap-ops 2 --mmap-bytes 4M",
    # "Pathological", to stress-ng, is what a machine may not survive.
    "--pathological --cpu-online 1 --cpu-online-ops 10 --matrix 1 --matrix-ops 20 --switch 1 --switch-ops 500",
]


class Clock:
    """Readings of Linux's monotonic clock beside the host's, with the error that each may have."""

    def __init__(self, machine):
        self.machine = machine

    def read(self):
        """Nanoseconds in Linux minus those here, and how far off that may be: the best of some readings."""
        readings = []
        self.machine.send("/bin/trace clock\r")
        for _ in range(20):
            before = time.monotonic_ns()
            self.machine.send("?\r")
            there = int(self.machine.expect(r"clock=(\d+)\r*\n").group(1))
            after = time.monotonic_ns()
            readings.append(((after - before) / 2, there - (before + after) / 2))
        self.machine.send("\r")
        self.machine.expect("/ # ")
        error, difference = min(readings)
        return difference, error


@pytest.mark.long
@pytest.mark.parametrize("cpu", ["Haswell", "EPYC"])
def test_linux_torture(machine, cpu):
    files = {**package_program("stress-ng", "usr/bin/stress-ng", "bin"), "bin/trace": TRACE}
    with linux_machine(machine, dict(cpu=cpu, cpus=2, memory="1G"), memory="dom0_mem=640M", files=files) as m:
        linux = Linux(m)
        clock = Clock(m)
        start, (before, before_error) = time.monotonic_ns(), clock.read()
        # Two at once: each CPU switches between processes with and without breakpoints.
        assert linux.run("trace 20 & trace 20; wait").count("20 rounds passed") == 2
        for stressors in STRESS:
            linux.run(f"(cd /tmp && stress-ng --verify --timeout 10 {stressors})")
            linux.check_log()
        seconds, (after, after_error) = (time.monotonic_ns() - start) / 1e9, clock.read()
        drift, error = (after - before) / seconds / 1e3, (after_error + before_error) / seconds / 1e3
        print(f"drift {drift:.1f} ppm over {seconds:.0f} s, measured to {error:.1f} ppm")
        assert abs(drift) < 100 + error
        linux.poweroff()


@pytest.mark.long
def test_linux_gdb(machine):
    """Debian's gdb: breakpoint, hardware watchpoint, single steps of a program."""
    nothing = {"libdebuginfod.so.1": os.path.join(machine_module.BUILD, "tests/libdebuginfod.so.1")}
    files = {**package_program("gdb-minimal", "usr/bin/gdb", "bin", nothing), "bin/probe": PROBE}
    with linux_machine(machine, dict(cpu="Haswell", cpus=2, memory="768M"), memory="dom0_mem=512M", files=files) as m:
        linux = Linux(m)
        said = linux.run("gdb -batch -ex 'set startup-with-shell off' " + " ".join(f"-ex '{c}'" for c in GDB) +
                         " --args /bin/probe count")
        assert "Hardware watchpoint 2: counter" in said, said
        seen = re.findall(r"Old value = (\d)\s+New value = (\d)", said)
        assert seen == [("0", "1"), ("1", "2"), ("2", "3")], said
        places = [int(at, 16) for at in re.findall(r"^(?:rip +)?(0x[0-9a-f]+)\b.*(?:in|<count\+)", said, re.M)]
        assert len(places) == 3 and places[0] < places[1] == places[2], said
        assert "probe: counted to 3" in said and "exited normally" in said, said
        linux.poweroff()
