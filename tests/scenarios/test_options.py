# SPDX-License-Identifier: MIT
"""Words of the hypervisor's command line, and modules in the forms that boot loaders pass."""
import gzip
import os
import re

import pytest

from machine import BUILD
from shell import Shell

DOM0 = os.path.join(BUILD, "dom0")


@pytest.mark.parametrize("word,complaint", [
    ("nonsense", r"unknown option 'nonsense'"),
    ("nonsense=1", r"unknown option 'nonsense"),
    ("dom0_mem=lots", r"dom0_mem=lots'? is malformed"),
    ("dom0_max_vcpus=many", r"dom0_max_vcpus=many'? is malformed"),
    ("com1=fast", r"com1=fast'? is malformed"),
    ("loglvl=loud", r"loglvl=loud'? is malformed"),
    ("noreboot=perhaps", r"noreboot=perhaps'? is malformed"),
    ("=", r"unknown option"),
])
def test_wrong_word(machine, word, complaint):
    """One warning that names the word; the machine boots all the same."""
    with machine(word, memory="128M") as m:
        m.expect(complaint)
        Shell(m).poweroff()


def test_long_command_line(machine):
    with machine(" ".join(f"nonsense{i}" for i in range(100)), memory="128M") as m:
        m.expect("nonsense99")
        Shell(m).poweroff()


def test_dom0_memory(machine):
    with machine("dom0_mem=100M", memory="512M") as m:
        said = "\n".join(Shell(m).run("info"))
        assert re.search(r"\b(?:100 MiB|102400 KiB|25600 (?:pages|frames))\b", said), said
        m.send("poweroff\r")
        m.wait_off()


def test_dom0_vcpus(machine):
    with machine("dom0_max_vcpus=2", cpus=4) as m:
        said = "\n".join(Shell(m).run("info"))
        assert re.search(r"\b2 v?CPUs\b", said), said
        m.send("poweroff\r")
        m.wait_off()


def test_gzip(machine, tmp_path):
    packed = tmp_path / "dom0.gz"
    with open(DOM0, "rb") as f:
        packed.write_bytes(gzip.compress(f.read()))
    with machine("", [(str(packed), "")]) as m:
        Shell(m).poweroff()


def test_arguments_and_modules(machine, tmp_path):
    """dom0 is given its own command line and learns of a second module."""
    extra = tmp_path / "extra"
    extra.write_bytes(b"an initial ramdisk\n" * 1000)
    with machine("", [(DOM0, "first=1 second"), (str(extra), "third")]) as m:
        said = "\n".join(Shell(m).run("info"))
        assert "first=1 second" in said and "placeholder" not in said, said
        assert re.search(r"19000|18\.6 KiB|18 KiB|19 KiB", said), said
        m.send("poweroff\r")
        m.wait_off()
