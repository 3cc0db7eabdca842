# SPDX-License-Identifier: MIT
"""Split disks: guests that read and write what dom0 serves."""
import hashlib
import json
import os

import linux
from machine import BUILD
from test_xl_linux import Guest as LinuxGuest
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


def test_linux(machine, tmp_path):
    """Debian's Linux, unmodified: what it thinks of its disks, and that what it writes is there."""
    linux.make_initrd(tmp_path / "initrd", ["xen-blkfront", "crc32c_generic", "ext4"])
    config = ('name = "debian"\nkernel = "/boot/vmlinuz"\nramdisk = "/boot/initrd"\nextra = "console=hvc0"\n'
              'memory = 256\nvcpus = 2\n'
              'disk = ["ram:32M,raw,xvda,rw", "/boot/initrd,raw,xvdb,ro"]\n')
    files = {"boot/vmlinuz": linux.kernel(), "boot/initrd": str(tmp_path / "initrd")}
    with xl_machine(machine, tmp_path, {"debian": config}, files, cmdline="dom0_mem=128M", cpus=2, memory="1G") as m:
        dom0 = Xl(m)
        dom0.xl("create -q debian")
        guest = LinuxGuest(dom0, "debian")
        assert guest.run("cat /sys/block/xvda/size").split() == ["65536"]
        assert guest.run("cat /sys/block/xvda/queue/write_cache").split() == ["write", "back"]
        assert guest.run("cat /sys/block/xvda/queue/discard_granularity").split() == ["512"]
        assert guest.run("ls /sys/block/xvda/mq").split() == ["0", "1"]
        assert guest.run("cat /sys/block/xvdb/ro").split() == ["1"]
        with open(tmp_path / "initrd", "rb") as f:
            data = f.read()
        whole = len(data) // 512
        wanted = hashlib.md5(data[:whole * 512]).hexdigest()
        assert guest.run(f"dd if=/dev/xvdb bs=512 count={whole} 2>/dev/null | md5sum").split()[0] == wanted
        # Requests of all sizes, at many places, by two CPUs; then what is there is what was written.
        guest.run("dd if=/dev/urandom of=/tmp/a bs=1M count=16 2>/dev/null; cp /tmp/a /tmp/b")
        guest.run("dd if=/tmp/a of=/dev/xvda bs=1M conv=fsync 2>/dev/null & "
                  "dd if=/tmp/b of=/dev/xvda bs=64k seek=256 oflag=direct conv=fsync 2>/dev/null; wait")
        guest.run("echo 3 >/proc/sys/vm/drop_caches")
        sums = guest.run("dd if=/dev/xvda bs=4k count=4096 iflag=direct 2>/dev/null | md5sum; "
                         "dd if=/dev/xvda bs=1M skip=16 2>/dev/null | md5sum; md5sum /tmp/a").split()
        assert sums[0] == sums[2] == sums[4], sums
        guest.run("mkdir -p /mnt && mke2fs /dev/xvda >/dev/null && mount -t ext4 /dev/xvda /mnt && cp /tmp/a /mnt && sync && umount /mnt")
        assert sums[0] in guest.run("mount -t ext4 /dev/xvda /mnt && md5sum /mnt/a").split()
        guest.run("umount /mnt; blkdiscard /dev/xvda")
        zeros = hashlib.md5(bytes(1 << 20)).hexdigest()
        assert zeros in guest.run("dd if=/dev/xvda bs=1M count=1 2>/dev/null | md5sum").split()
        served = {vdev: disk for (_, vdev), disk in disks(dom0).items()}
        assert served[51712]["queues"] == 2 and served[51712]["flushes"] and served[51712]["discards"], served
        assert not served[51712]["refused"] and not served[51728]["refused"], served
        found = linux.BAD.findall(guest.run("dmesg"))
        assert not found, "\n".join(found)
        dom0.xl("destroy debian")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        assert disks(dom0) == {}
        dom0.poweroff()


def test_hostile_front_half(machine, tmp_path):
    """A guest that does to its disk's ring whatever it can: a neighbour's disk is right all the time, dom0 answers, and when it
    is destroyed in the middle nothing of it is left."""
    configs = {"bad": 'name = "bad"\nkernel = "/boot/bad"\nmemory = 16\ndisk = ["ram:1M,raw,xvda,rw"]\n',
               "good": 'name = "good"\nkernel = "/boot/example"\nmemory = 16\ndisk = ["ram:256K,raw,xvda,rw"]\n'}
    files = {"boot/bad": os.path.join(BUILD, "tests/guests/hostile-disk")}
    with xl_machine(machine, tmp_path, configs, files, cpus=2, memory="256M") as m:
        dom0 = Xl(m)
        dom0.xl("create -q good")
        good, good_id = Guest(dom0, "good"), int(dom0.xl("domid good")[0])
        for count in (1, 2):
            dom0.xl("create -q bad")
            for fill in range(3):
                good.run(f"disk write 51712 0 512 {65 + fill}", r"disk 51712: written, status 0")
                good.run("disk sum 51712", f"disk 51712: sum {fnv(bytes([65 + fill]) * 256 * 1024)}")
            dom0.attach("bad", rf"hostile-disk: round {6 * count}, .*(\d+) pushes")
            dom0.leave()
            served = {disk["domid"]: disk for disk in disks(dom0).values()}
            (bad,) = [disk for domid, disk in served.items() if domid != good_id]
            assert bad["refused"] > 100 and bad["writes"] > 10, bad
            dom0.xl("destroy bad")
            dom0.wait_for("gone", lambda domains: set(domains) == {"Domain-0", "good"})
            assert len(disks(dom0)) == 1
        dom0.xl("destroy good")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        dom0.poweroff()
