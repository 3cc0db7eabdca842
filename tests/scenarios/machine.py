# SPDX-License-Identifier: MIT
"""A machine in QEMU, booted by GRUB, driven over its serial line.

    with Machine(name, cmdline="loglvl=all", cpus=2) as machine:
        machine.expect("a pattern")
        machine.send("text\\r")
        machine.wait_off()

Everything of one machine (image, log of the serial line, QEMU's messages) is under build/scenarios/NAME.
Leaving the block ends QEMU in any case; QEMU also dies with the test process.
"""
import ctypes
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time

import pexpect

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
FIRMWARE = "/usr/share/ovmf/OVMF.fd"

# Emulation on a busy two-core machine: a patience that only a hang exhausts.
PATIENCE = float(os.environ.get("SCENARIO_PATIENCE", "90"))
BOOT = max(300, PATIENCE)  # a whole Linux

ESCAPE = "\x01" * 3  # Ctrl-A three times: console input to the hypervisor and back
AUDIT = re.compile(r"audit: (\d+) frames, (\d+) mismatches")
PANIC = r"\(CERNE\) [^\n]*(?:[Pp]anic|PANIC)[^\n]*\n"


class Died(AssertionError):
    """The machine said or did something that no expectation covers."""


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Machine:
    """One run of one machine. `modules` are (file, arguments) pairs; None: dom0 without arguments.

    iso: an image that is there, in place of one made of these.
    """

    def __init__(self, name, cmdline="", modules=None, *, cerne=None, cpus=1, memory="256M", cpu="Haswell",
                 uefi=False, chipset="q35", com=1, gfxpayload="keep", qemu=(), audit=True, iso=None):
        self.name = re.sub(r"[^\w.-]+", "_", name)
        self.dir = os.path.join(BUILD, "scenarios", self.name)
        self.audited = audit and not iso
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        if modules is None:
            modules = [(os.path.join(BUILD, "dom0"), "")]
        if audit:
            cmdline = f"audit=exit {cmdline}".strip()
        self.image = os.path.join(self.dir, "image.iso")
        if iso:
            shutil.copy(iso, self.image)
        else:
            subprocess.run([os.path.join(TOP, "scripts/make-image"), "-o", self.image, "-c", cmdline, "-g", gfxpayload,
                            cerne or os.path.join(BUILD, "cerne"), *(f"{file} {args}".strip() for file, args in modules)],
                           check=True, cwd=TOP)
        self.qmp_path = os.path.join(self.dir, "qmp")
        self.command_line = [
            "qemu-system-x86_64", "-machine", chipset, "-accel", "tcg", "-cpu", f"{cpu},check=off",
            "-smp", str(cpus), "-m", memory, "-d", "cpu_reset", "-D", os.path.join(self.dir, "resets.log"), "-nic", "none", "-display", "none", "-vga", "std",
            "-qmp", f"unix:{os.path.relpath(self.qmp_path, TOP)},server=on,wait=off",
            *(["-serial", "null"] * (com - 1)), "-chardev", "stdio,id=com,signal=off", "-serial", "chardev:com",
            *(["-bios", FIRMWARE] if uefi else []), *qemu, "-cdrom", self.image]
        self.log_path = os.path.join(self.dir, "serial.log")
        self.child = None

    def __enter__(self):
        with open(os.path.join(self.dir, "command"), "w") as f:
            f.write(shlex.join(self.command_line) + "\n")
        self.log = open(self.log_path, "w", encoding="utf-8", errors="replace")
        # No echo by the terminal between here and QEMU: what is read back comes from the machine.
        self.child = pexpect.spawn(self.command_line[0], self.command_line[1:], cwd=TOP, timeout=PATIENCE, echo=False,
                                   encoding="utf-8", codec_errors="replace", preexec_fn=_die_with_parent,
                                   dimensions=(50, 200))
        self.child.logfile_read = self.log
        self.child.delaybeforesend = None
        return self

    def __exit__(self, kind, value, trace):
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
        self.child.close(force=True)
        self.log.close()
        os.remove(self.image)
        if kind is not None:
            print(f"--- {os.path.relpath(self.log_path, TOP)}, last lines:\n{self.output()[-3000:]}\n---")
        return False

    # What the machine says

    def output(self):
        """Everything that came over the serial line so far, without carriage returns."""
        if not self.log.closed:
            self.log.flush()
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read().replace("\r", "")

    def expect(self, pattern, timeout=PATIENCE, panic_ok=False):
        """Wait for a pattern (a regular expression) and return its match. A panic or an end before it fails.

        Text arrives in pieces: a pattern that ends with a repetition may match less than the line holds.
        """
        unwanted = [pexpect.EOF] + ([] if panic_ok else [PANIC])
        try:
            which = self.child.expect([pattern, *unwanted], timeout=timeout)
        except pexpect.TIMEOUT:
            raise Died(f"no {pattern!r} within {timeout:.0f} s; last: {self.output()[-300:]!r}") from None
        if which == 1:
            raise Died(f"the machine ended before {pattern!r}; last: {self.output()[-300:]!r}")
        if which == 2:
            raise Died(f"panic before {pattern!r}: {self.child.after.strip()!r}")
        return self.child.match

    def expect_quiet(self, pattern, seconds):
        """Nothing that matches pattern may come, and the machine may not end, for some seconds."""
        which = self.child.expect([pexpect.TIMEOUT, pattern, pexpect.EOF], timeout=seconds)
        if which:
            raise Died(f"unexpected {self.child.after!r}; last: {self.output()[-300:]!r}")

    def send(self, text):
        self.child.send(text)

    # How it ends

    def check_no_triple_fault(self):
        """No CPU was reset by a fault that could not be delivered."""
        with open(os.path.join(self.dir, "resets.log"), errors="replace") as f:
            # SeaBIOS's own way to restart is such a fault too, in 32-bit code, where EAX stands for RAX.
            if re.search(r"Triple fault\nCPU Reset[^\n]*\nRAX=", f.read()):
                raise Died(f"triple fault; last: {self.output()[-300:]!r}")

    def wait_halted(self, timeout=PATIENCE):
        """Wait until every CPU has stopped in a `hlt`, without having been reset on the way."""
        end = time.monotonic() + timeout
        while True:
            states = re.findall(r"HLT=([01])", self.monitor("info registers -a"))
            if states and all(state == "1" for state in states):
                break
            if time.monotonic() > end:
                raise Died(f"not all CPUs halted: {states}")
            self.expect_quiet(r"Booting|GRUB", 0.2)
        self.check_no_triple_fault()

    def wait_off(self, timeout=PATIENCE):
        """Wait until the machine has switched itself off: QEMU ends by itself, with status 0."""
        try:
            self.child.expect(pexpect.EOF, timeout=timeout)
        except pexpect.TIMEOUT:
            raise Died(f"the machine is still on after {timeout:.0f} s; last: {self.output()[-300:]!r}") from None
        self.child.close()
        self.check_no_triple_fault()
        if self.child.exitstatus != 0:
            raise Died(f"QEMU ended with status {self.child.exitstatus}, signal {self.child.signalstatus}")
        if self.audited:
            self.check_audit()

    def check_audit(self):
        """The hypervisor recounted its frames at the end (audit=exit) and found all as it should be."""
        found = AUDIT.findall(self.output())
        if not found:
            raise Died("no page audit at the end")
        frames, mismatches = map(int, found[-1])
        if mismatches or not frames:
            raise Died(f"page audit: {frames} frames, {mismatches} mismatches")

    def audit_now(self):
        """Let the hypervisor recount its frames now, through its console key."""
        self.send(ESCAPE)
        time.sleep(0.3)  # the three presses and the key are told apart by the hypervisor, not by timing
        self.send("A")
        self.expect(AUDIT.pattern)
        self.send(ESCAPE)
        self.check_audit()

    # QEMU's side

    def qmp(self, execute, **arguments):
        """One command to QEMU's monitor; returns its result."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(os.path.relpath(self.qmp_path))
            with s.makefile("rw") as f:
                f.readline()
                for request in ({"execute": "qmp_capabilities"}, {"execute": execute, "arguments": arguments}):
                    f.write(json.dumps(request) + "\n")
                    f.flush()
                    while True:
                        reply = json.loads(f.readline())
                        if "return" in reply or "error" in reply:
                            break
                if "error" in reply:
                    raise Died(f"QMP {execute}: {reply['error']}")
                return reply["return"]

    def monitor(self, command):
        """One command to QEMU's human monitor; returns what it printed."""
        return self.qmp("human-monitor-command", **{"command-line": command})

    def screen(self):
        """The screen as (width, height, pixels), three bytes each."""
        path = os.path.join(self.dir, "screen.ppm")
        self.qmp("screendump", filename=path)
        with open(path, "rb") as f:
            data = f.read()
        header = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
        return int(header.group(1)), int(header.group(2)), data[header.end():]
