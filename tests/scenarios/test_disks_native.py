# SPDX-License-Identifier: MIT
"""NVMe and SATA disks that dom0 drives itself: what it reads is what the host's file holds, what it writes arrives there,
errors are told, what hangs is reset, and other disks of the same controller go on."""
import re

import pytest

import disk_image
from shell import PROMPT, Shell
from test_disks import blkdebug, boot, listed, virtio


def nvme(disks, controller="n"):
    """A controller with these disks: (file, name, more of the drive, more of the namespace) each."""
    arguments = ["-device", f"nvme,id={controller},serial={controller}-1"]
    for number, (path, name, drive, more) in enumerate(disks, 1):
        arguments += ["-drive", f"if=none,id={name},format=raw,file={path}{drive}", "-device",
                      f"nvme-ns,drive={name},bus={controller},nsid={number}{more}"]
    return arguments


def ahci(disks, controller="second"):
    """The same for AHCI, on ports from 1 on."""
    arguments = ["-device", f"ahci,id={controller}"]
    for number, (path, name, drive, more) in enumerate(disks, 1):
        arguments += ["-drive", f"if=none,id={name},format=raw,file={path}{drive}", "-device",
                      f"ide-hd,drive={name},bus={controller}.{number},serial={name}{more}"]
    return arguments


KINDS = {"nvme": nvme, "ahci": ahci}


@pytest.mark.parametrize("kind", KINDS)
def test_native_disk(machine, tmp_path, kind):
    """Two disks of one controller; on NVMe one of them has blocks of 4096 bytes."""
    images = [disk_image.make(tmp_path / f"{n}.img", 8, n) for n in range(2)]
    disk_image.partition(images[0], [("system", 2048, 4095), ("daten", 4096, 12000)])
    before = disk_image.read(images[0])
    blocks = ",logical_block_size=4096,physical_block_size=4096" if kind == "nvme" else ""
    with boot(machine, KINDS[kind]([(images[0], "one", "", ""), (images[1], "two", ",discard=unmap", blocks)])) as m:
        shell = Shell(m)
        disks = listed(shell)
        assert list(disks) == ["disk0", "disk0p1", "disk0p2", "disk1"]
        assert disks["disk0"]["bytes"] == disks["disk1"]["bytes"] == 8 << 20
        assert disks["disk0"]["serial"] == ("n-1" if kind == "nvme" else "one")
        assert disks["disk1"]["logical_block"] == (4096 if kind == "nvme" else 512)
        assert disks["disk0"]["driver"] == kind and disks["disk0"]["discard"]
        found = "\n".join(shell.run("lspci -v"))
        assert re.search(rf"driver {kind}, disk0 disk1\n(.*\n)*?.*interrupts: {'MSI-X' if kind == 'nvme' else 'MSI'}\b", found)
        for name, image in (("disk0", images[0]), ("disk1", images[1])):
            assert disk_image.checksum(image) in shell.run(f"disktest {name}")[-1]
        result = shell.run("disktest --destroy disk0p2")[-1]
        assert "7905 sectors written and read" in result and " 0 problems" in result
        assert " 0 problems" in shell.run("disktest --destroy disk1")[-1]
        # The firmware's own controller has the disc that the machine was started from.
        assert kind != "ahci" or "it is an ATAPI device, not a disk" in m.output()
        shell.poweroff()
    after = disk_image.read(images[0])
    assert after[4096 * 512:12001 * 512] == disk_image.pattern(7905)
    assert after[:4096 * 512] == before[:4096 * 512] and after[12001 * 512:] == before[12001 * 512:]
    assert disk_image.read(images[1]) == disk_image.pattern(16384)


def test_lines(machine, tmp_path):
    """A machine whose messages are not to be used: disks on all three controllers, which share lines, are all right."""
    images = [disk_image.make(tmp_path / f"{n}.img", 4, n) for n in range(3)]
    devices = (nvme([(images[0], "one", "", "")]) + ahci([(images[1], "two", "", "")]) +
               virtio(images[2], "three"))
    with boot(machine, devices, dom0="pci=nomsi") as m:
        shell = Shell(m)
        disks = listed(shell)
        numbers = {disks[name]["driver"]: int(name[4:]) for name in disks}
        assert sorted(numbers) == ["ahci", "nvme", "virtio-blk"]
        for driver, image in zip(("nvme", "ahci", "virtio-blk"), images):
            name = f"disk{numbers[driver]}"
            assert disk_image.checksum(image) in shell.run(f"disktest {name}")[-1]
            assert " 0 problems" in shell.run(f"disktest --destroy {name}")[-1]
            found = "\n".join(shell.run("lspci -v"))
            seen = re.search(rf"driver {driver}, {name}\n(?: .*\n)*? +interrupts: line \d+; (\d+) so far", found)
            assert seen and int(seen[1]) > 50, found
        shell.poweroff()
    for image in images:
        assert disk_image.read(image) == disk_image.pattern(8192)


def problems(lines):
    """What `disktest` says, without what QEMU has to say of its own about errors that it injects."""
    return [line for line in lines if not line.startswith("qemu-system")]


@pytest.mark.parametrize("kind", KINDS)
def test_native_disk_errors(machine, tmp_path, kind):
    """Sectors that cannot be read or written: of all that was under way only those fail. The other disk is as ever."""
    images = [disk_image.make(tmp_path / f"{n}.img", 2, n) for n in range(2)]
    bad = blkdebug(images[0], tmp_path / "rules", ['event = "read_aio"\nerrno = "5"\nsector = "2000"',
                                                   'event = "write_aio"\nerrno = "5"\nsector = "1000"'])
    report = ",rerror=report,werror=report" if kind == "ahci" else ""
    with boot(machine, KINDS[kind]([(bad, "bad", "", report), (images[1], "good", "", "")])) as m:
        shell = Shell(m)
        lines = problems(shell.run("disktest disk0"))
        assert re.match(r"sectors 1984 to 2047: (I/O|i/o) error", lines[0], re.I) and " 1 problem" in lines[-1]
        assert disk_image.checksum(images[1]) in shell.run("disktest disk1")[-1]
        lines = problems(shell.run("disktest --destroy disk0 1500"))
        assert lines[0].startswith("sectors 960 to 1023: ")
        # And it goes on, also with the same disk.
        assert " 0 problems" in shell.run("disktest --destroy disk1")[-1]
        assert " 0 problems" in shell.run("disktest disk0 900")[-1]
        shell.poweroff()
    assert disk_image.read(images[1]) == disk_image.pattern(4096)
    assert disk_image.read(images[0], 1024, 400) == disk_image.pattern(1424)[1024 * 512:]


def throttle(machine, bytes_a_second):
    limits = dict.fromkeys(("bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"), 0)
    machine.qmp("block_set_io_throttle", device="slow", bps=bytes_a_second, **limits)


# While it is reset, QEMU's SATA disk does what it has at that rate, and nothing else.
@pytest.mark.parametrize("kind,reset,rate", [("nvme", "nvme0: is reset", 1000), ("ahci", "the disk is reset", 100000)])
def test_native_disk_timeout(machine, tmp_path, kind, reset, rate):
    """The disk stands still for longer than it may: it is reset, and what was under way is done again."""
    image = disk_image.make(tmp_path / "disk.img", 2)
    with boot(machine, KINDS[kind]([(image, "slow", "", "")]), dom0="disk-timeout=2") as m:
        shell = Shell(m)
        throttle(m, rate)
        m.send("disktest disk0\r")
        m.expect("a command takes too long")
        m.expect(reset)
        throttle(m, 0)
        m.expect(rf"CRC-32 {disk_image.checksum(image)}, 0 problems")
        m.expect(re.escape(PROMPT))
        shell.poweroff()
