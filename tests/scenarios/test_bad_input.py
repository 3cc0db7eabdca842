# SPDX-License-Identifier: MIT
"""What cannot boot says so in one sentence and stops in an orderly way; it never faults into a reset."""
import os
import re

import pytest

from bad_images import IMAGES
from machine import BUILD

# The sentence for each bad image of bad_images.py.
SENTENCES = {
    "empty": r"empty|too short|no ELF",
    "one-byte": r"too short|not an? ELF|no ELF",
    "header-cut": r"too short|truncated",
    "half": r"truncated|beyond|outside|past",
    "noise": r"ELF",
    "garbled-headers": r"ELF|type|machine|version",
    "elf32": r"32-bit|64-bit",
    "big-endian": r"endian|order",
    "other-machine": r"x86|machine",
    "relocatable": r"executable|type",
    "no-segments": r"segment|program header",
    "program-headers-outside": r"program header|truncated",
    "program-headers-many": r"program header|truncated",
    "program-header-size": r"program header",
    "no-notes": r"notes?",
    "overlapping": r"overlap",
    "segment-huge": r"segment",
    "segment-wraps": r"segment",
    "segment-file-wraps": r"segment|truncated",
    "segment-file-outside": r"segment|truncated",
    "segment-file-bigger": r"segment",
    "segment-over-hypervisor": r"segment|range|hypervisor",
    "entry-outside": r"entry",
    "hypercall-page-outside": r"hypercall page",
    "xen-version-other": r"version|interface|ABI",
    "pvh-only": r"entry|PVH",
    "bzimage": r"ELF|bzImage",
    "gzip-cut": r"gzip|compressed",
    "gzip-head-only": r"gzip|compressed",
    "gzip-garbled": r"gzip|compressed",
    "gzip-wrong-crc": r"gzip|compressed|checksum|CRC",
    "gzip-of-noise": r"ELF",
    "gzip-bomb": r"gzip|compressed|memory|big|large",
}


def fails(m, sentence):
    """The machine must say the sentence, in a line of its own, and stop."""
    said = m.expect(rf"\(CERNE\) ([A-Z][^\r\n]*(?:{sentence})[^\r\n]*)\r*\n")
    m.wait_halted()
    assert not re.search(r"\bBUG\b|[Aa]ssert|#PF|#GP", m.output())
    return said.group(1)


def test_table_is_complete():
    assert set(SENTENCES) == set(IMAGES)


@pytest.mark.parametrize("image", IMAGES)
def test_image(machine, tmp_path, image):
    with open(os.path.join(BUILD, "dom0"), "rb") as f:
        good = f.read()
    bad = tmp_path / image
    bad.write_bytes(IMAGES[image](good))
    with machine("noreboot", [(str(bad), "")], qemu=["-no-reboot"], audit=False) as m:
        fails(m, SENTENCES[image])


def test_no_module(machine):
    with machine("noreboot", [], qemu=["-no-reboot"], audit=False) as m:
        fails(m, r"module")


@pytest.mark.parametrize("memory", ["16M", "20M"])
def test_machine_too_small(machine, memory):
    with machine("noreboot", memory=memory, qemu=["-no-reboot"], audit=False) as m:
        fails(m, r"memory")


def test_dom0_memory_too_small(machine):
    with machine("noreboot dom0_mem=1M", qemu=["-no-reboot"], audit=False) as m:
        fails(m, r"memory|dom0_mem")


def test_restart_after_bad_image(machine):
    """Without noreboot the machine restarts, and not by a fault."""
    with machine("", [], qemu=["-no-reboot"], audit=False) as m:
        m.expect(r"module")
        m.wait_off()
