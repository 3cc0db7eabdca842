# SPDX-License-Identifier: MIT
"""Split disks: guests that read and write what dom0 serves."""
import json
import re

from xl import Xl, xl_machine


def fnv(data):
    """What `disk sum` of the example guest computes."""
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & (1 << 64) - 1
    return f"{value:016x}"


class Guest:
    """The example guest's shell, from dom0's: attached for a command at a time."""

    def __init__(self, dom0, name):
        self.dom0, self.name = dom0, name

    def run(self, command, expect):
        """The match of what it prints."""
        self.dom0.machine.send(f"xl console {self.name}\r{command}\r")
        match = self.dom0.machine.expect(expect)
        self.dom0.leave()
        return match


def disks(dom0):
    """What `block list` says, by domain and device."""
    return {(disk["domid"], disk["vdev"]): disk for disk in json.loads("\n".join(dom0.run("block list --json")))}


def test_example_with_a_ramdisk(machine, tmp_path):
    """A disk in dom0's memory is written, read, seen by its numbers, and goes with the guest."""
    config = 'name = "d"\nkernel = "/boot/example"\nmemory = 16\ndisk = ["ram:256K,raw,xvda,rw"]\n'
    with xl_machine(machine, tmp_path, {"d": config}) as m:
        dom0 = Xl(m)
        dom0.xl("create -q d")
        guest = Guest(dom0, "d")
        guest.run("disk list", r"disk 51712: 512 sectors, discard")
        guest.run("disk write 51712 8 16 90", r"disk 51712: written, status 0")
        data = bytearray(256 * 1024)
        data[8 * 512:24 * 512] = b"Z" * (16 * 512)
        guest.run("disk sum 51712", f"disk 51712: sum {fnv(data)}")
        guest.run("disk write 51712 511 2 1", r"disk 51712: error, status -22")
        (disk,) = disks(dom0).values()
        assert (disk["state"], disk["writes"], disk["written_sectors"], disk["flushes"]) == ("connected", 1, 16, 1), disk
        assert disk["read_sectors"] == 512, disk
        # The service begins anew: the disk was memory, so what was on it is gone, and the guest goes on.
        assert dom0.run("block restart") == []
        guest.run("disk write 51712 0 8 65", r"disk 51712: written, status 0")
        guest.run("disk sum 51712", f"disk 51712: sum {fnv(b'A' * 4096 + bytes(252 * 1024))}")
        dom0.xl("destroy d")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        assert disks(dom0) == {}
        dom0.poweroff()
