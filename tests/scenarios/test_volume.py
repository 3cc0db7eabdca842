# SPDX-License-Identifier: MIT
"""dom0's volume: made, filled, used by guests, read by Linux's tools, and whole after power cuts."""
import json
import os
import random
import subprocess

import pytest

from machine import BUILD
from test_block import Guest, fnv
from xl import EXAMPLE_CFG, Xl, make_root, xl_machine

CFG = 'name = "v"\nkernel = "/volume/boot/example"\nmemory = 16\ndisk = ["/volume/images/{image},raw,xvda,w"]\n'


def drive(path):
    return ["-drive", f"if=none,id=d0,format=raw,file={path}", "-device", "virtio-blk-pci,drive=d0"]


def blank(path, mib=64):
    with open(path, "wb") as f:
        f.truncate(mib << 20)
    return path


def e2fsck(path, *options):
    done = subprocess.run(["/sbin/e2fsck", *options, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


def assert_clean(path):
    status, said = e2fsck(path, "-fn")
    assert status == 0, said


def contents(path, name):
    """A file of the volume, by Linux's own tool."""
    return subprocess.run(["/sbin/debugfs", "-R", f"cat {name}", path], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def test_volume_lasts(machine, tmp_path):
    """A volume is made on an empty disk; configuration, kernel and disk of a guest are on it at the next start."""
    disk = blank(tmp_path / "disk.img")
    config = CFG.format(image="d")
    with xl_machine(machine, tmp_path, {"v": config}, qemu=drive(disk)) as m:
        dom0 = Xl(m)
        assert "There is no volume" in dom0.run("volume")[0]
        assert "empty volume on disk0" in dom0.run("volume format disk0 -y")[0]
        assert "cerne on disk0" in dom0.run("volume mount disk0")[0]
        for command in ("mkdir /volume/boot /volume/xl", "cp /boot/example /volume/boot", "cp /etc/xl/v.cfg /volume/xl/w.cfg",
                        "image create d 8m", "image create s 8m --sparse"):
            assert dom0.run(command) == [], command
        assert "there is such a file already" in dom0.run("image create d 8m")[0]
        images = {image["name"]: image for image in json.loads("\n".join(dom0.run("image list --json")))}
        assert images["d"]["allocated_bytes"] == images["d"]["bytes"] == 8 << 20 and images["s"]["allocated_bytes"] == 0
        dom0.xl("create -q v")
        Guest(dom0, "v").run("disk write 51712 8 16 90", r"disk 51712: written, status 0")
        assert "it is in use" in dom0.run("image delete d")[0]
        assert "used by guests" in dom0.run("volume unmount")[0]
        dom0.xl("destroy v")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        assert dom0.run("volume unmount") == []
        dom0.poweroff()
    assert_clean(disk)
    data = bytearray(8 << 20)
    data[8 * 512:24 * 512] = b"Z" * (16 * 512)
    assert contents(disk, "/images/d") == data
    assert contents(disk, "/xl/w.cfg").decode() == config
    with xl_machine(machine, tmp_path, qemu=drive(disk)) as m:
        dom0 = Xl(m)
        assert "Volume: disk0, 64 MiB" in m.output()
        dom0.xl("create -q w")
        Guest(dom0, "v").run("disk sum 51712", f"disk 51712: sum {fnv(data)}")
        dom0.poweroff()
