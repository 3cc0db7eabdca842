# SPDX-License-Identifier: MIT
"""Where messages go: COM1, COM2, VGA text, framebuffer; log levels; the hypervisor's own keys."""
import re
import time

from machine import ESCAPE, PATIENCE
from shell import Shell


def lit(m):
    """How many pixels of the screen are not of its most frequent colour; waits until there are some."""
    end = time.monotonic() + PATIENCE
    while True:
        width, height, pixels = m.screen()
        colours = [pixels[i:i + 3] for i in range(0, len(pixels), 3)]
        ground = max(set(colours), key=colours.count)
        count = sum(colour != ground for colour in colours)
        if count > 500 or time.monotonic() > end:
            return width, height, count
        time.sleep(0.2)


def test_com2(machine):
    with machine("console=com2 com2=115200,8n1", com=2) as m:
        m.expect(r"\(CERNE\)")
        Shell(m).poweroff()


def test_com1_is_default(machine):
    with machine("") as m:
        m.expect(r"\(CERNE\)")
        Shell(m).poweroff()


def test_framebuffer(machine):
    with machine("console=com1,vga vga=keep", gfxpayload="800x600x32") as m:
        shell = Shell(m)
        width, height, count = lit(m)
        assert (width, height) == (800, 600) and count > 500
        shell.poweroff()


def test_vga_text(machine):
    with machine("console=com1,vga vga=keep", gfxpayload="text") as m:
        shell = Shell(m)
        width, height, count = lit(m)
        assert (width, height) == (720, 400) and count > 500
        shell.poweroff()


def test_uefi_framebuffer(machine):
    with machine("console=com1,vga vga=keep", uefi=True) as m:
        shell = Shell(m)
        assert lit(m)[2] > 500
        shell.poweroff()


def test_log_level(machine):
    """loglvl=none keeps the hypervisor quiet before dom0, loglvl=all makes it say more than the default."""
    lines = {}
    for level in ("none", "", "all"):
        with machine(f"loglvl={level}" if level else "", audit=False) as m:
            shell = Shell(m)
            lines[level] = len(re.findall(r"^\(CERNE\)", m.output(), re.M))
            shell.poweroff()
    assert lines["none"] < lines[""] < lines["all"], lines


def test_hypervisor_keys(machine):
    with machine(cpus=2) as m:
        shell = Shell(m)
        m.send(ESCAPE)
        m.expect(r"\(CERNE\)[^\n]*input")
        m.send("h")
        m.expect(r"\(CERNE\)[^\n]*\bA\b")
        m.send(ESCAPE)
        m.expect(r"\(CERNE\)[^\n]*input")
        m.send("\r")
        shell = Shell(m)
        m.audit_now()
        m.send("\r")
        shell = Shell(m)
        shell.poweroff()
