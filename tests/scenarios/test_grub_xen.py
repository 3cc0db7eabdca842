# SPDX-License-Identifier: MIT
"""GRUB's own image for Xen (grub-xen-bin) as the first domain, here and on the real Xen 4.17, side by side.

GRUB expects what only other domains get: a console ring and a store, and a bootstrap mapping of all that
it wants to use. How far it comes therefore depends on where the first domain's builder puts things. It has to
fall at the same instruction, over the same address and with the same numbers in its registers.
"""
import glob
import gzip
import os
import re
import subprocess

import pytest

from linux import DEBIAN

# Not rdx, where GRUB has just read the clock; not what hypercalls lose: rcx, r11, and in Xen 4.17 r10.
COMPARED = ["rip", "cr2", "rax", "rbx", "rsi", "rdi", "rbp", "r8", "r9", "r12", "r13", "r14", "r15"]


def grub_image(folder):
    """An image that would show what it finds, if it came so far."""
    (folder / "early").write_text("echo GRUB is here\nls\n")
    image = folder / "grub-x86_64-xen"
    subprocess.run(["grub-mkimage", "-d", os.path.join(DEBIAN, "grub-xen-bin/usr/lib/grub/x86_64-xen"), "-O",
                    "x86_64-xen", "-p", "/boot/grub", "-c", folder / "early", "-o", image, "normal", "echo", "ls"],
                   check=True)
    return image


def real_xen(folder):
    (packed,) = glob.glob(os.path.join(DEBIAN, "xen-hypervisor-4.17-amd64/boot/xen-4.17-amd64.gz"))
    with gzip.open(packed) as f:
        (folder / "xen").write_bytes(f.read())
    return folder / "xen"


def registers(text):
    """Registers by name from the dump of either hypervisor."""
    found = re.findall(r"\b(r[a-z]{2}|r\d+|cr2):? +(?:e033:)?(?:\[<)?([0-9a-f]{16})\b", text, re.I)
    return {name.lower(): int(value, 16) for name, value in found}


@pytest.mark.parametrize("memory", ["8M", *(pytest.param(size, marks=pytest.mark.long) for size in ("32M", "256M"))])
def test_grub_xen(machine, tmp_path, memory):
    image = grub_image(tmp_path)
    with machine(f"noreboot dom0_mem={memory}", modules=[(image, "")], memory="512M") as m:
        m.expect(r"Stopped \(noreboot\)")
        m.check_audit()
        ours = m.output()
    with machine(f"console=com1 com1=115200 noreboot dom0_mem={memory}", modules=[(image, "")],
                 cerne=real_xen(tmp_path), audit=False, memory="512M") as m:
        m.expect("Hardware Dom0 crashed")
        theirs = m.output()
    assert "has no handler for #PF" in ours and "Unhandled: vec 14, #PF" in theirs
    ours, theirs = registers(ours[ours.index("no handler"):]), registers(theirs[theirs.index("Unhandled: vec 14"):])
    assert {name: hex(ours[name]) for name in COMPARED} == {name: hex(theirs[name]) for name in COMPARED}
