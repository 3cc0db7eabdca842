# SPDX-License-Identifier: MIT
"""Disks that dom0 drives itself: what it reads is what the host's file holds, what it writes arrives there, and what goes
wrong below is told and hurts nobody."""
import json
import os
import re
import time

import pytest

import disk_image
from machine import BUILD, PATIENCE
from shell import Shell


def boot(machine, devices, **more):
    """A machine with those arguments for QEMU."""
    dom0 = more.pop("dom0", "")
    return machine("dom0_mem=32M", [(os.path.join(BUILD, "dom0"), dom0)], qemu=devices, **more)


def virtio(path, name="one", device="", drive=""):
    return ["-drive", f"if=none,id={name},format=raw,file={path}{drive}", "-device",
            f"virtio-blk-pci,drive={name},serial={name}{device}"]


def listed(shell):
    return {disk["name"]: disk for disk in json.loads("\n".join(shell.run("disks --json")))}


# The firmware has the last word on lines: without messages the interrupt comes by the line that it chose.
@pytest.mark.parametrize("chipset,vectors,kind", [("q35", "", "MSI-X"), ("q35", ",vectors=0", "line"),
                                                  ("pc", "", "MSI-X"), ("pc", ",vectors=0", "line")])
def test_virtio_disk(machine, tmp_path, chipset, vectors, kind):
    image = disk_image.make(tmp_path / "disk.img", 8)
    disk_image.partition(image, [("system", 2048, 4095), ("daten", 4096, 12000)])
    # As much of an ext file system as its label needs.
    with open(image, "r+b") as f:
        for place, what in ((0x38, b"\x53\xef"), (0x78, b"sixteen letters!")):
            f.seek(2048 * 512 + 1024 + place)
            f.write(what)
    before = disk_image.read(image)
    with boot(machine, virtio(image, device=vectors), chipset=chipset) as m:
        shell = Shell(m)
        disks = listed(shell)
        assert list(disks) == ["disk0", "disk0p1", "disk0p2"]
        assert disks["disk0"]["bytes"] == 8 << 20 and disks["disk0"]["serial"] == "one"
        assert (disks["disk0p2"]["label"], disks["disk0p2"]["start_bytes"], disks["disk0p2"]["bytes"]) == \
            ("daten", 4096 * 512, 7905 * 512)
        assert any(re.search(f"interrupts: {kind}", line) for line in shell.run("lspci -v"))
        assert disk_image.checksum(image) in shell.run("disktest disk0")[-1]
        assert disk_image.checksum(image, 2048, 2048) in shell.run("disktest PARTLABEL=system")[-1]
        for name in '"LABEL=sixteen letters!"', "PARTUUID=00000000-0000-0000-0000-000000000001":
            assert disk_image.checksum(image, 2048, 8) in shell.run(f"disktest {name} 8")[-1]
        assert disk_image.checksum(image, 4096, 100) in shell.run("disktest /dev/disk0p2 100")[-1]
        result = shell.run("disktest --destroy disk0p2")[-1]
        assert "7905 sectors written and read" in result and " 0 problems" in result
        assert "there is none with that label" in shell.run("disktest PARTLABEL=nothing")[0]
        shell.poweroff()
    after = disk_image.read(image)
    assert after[4096 * 512:12001 * 512] == disk_image.pattern(7905)
    assert after[:4096 * 512] == before[:4096 * 512] and after[12001 * 512:] == before[12001 * 512:]


def flushes(machine):
    return sum(drive["stats"]["flush_operations"] for drive in machine.qmp("query-blockstats"))


def test_stopped_in_order(machine, tmp_path):
    """When the machine is switched off the disk has been flushed, and the device reset."""
    image = disk_image.make(tmp_path / "disk.img", 2)
    with boot(machine, virtio(image, device=",id=v") + ["-no-shutdown"]) as m:
        shell = Shell(m)
        before = flushes(m)
        assert m.qmp("x-query-virtio-status", path="/machine/peripheral/v/virtio-backend")["status"]["statuses"]
        m.send("poweroff\r")
        end = time.monotonic() + PATIENCE
        while m.qmp("query-status")["status"] != "shutdown":
            assert time.monotonic() < end, "it does not go off"
            time.sleep(0.1)
        assert flushes(m) > before
        assert not m.qmp("x-query-virtio-status", path="/machine/peripheral/v/virtio-backend")["status"]["statuses"]


def blkdebug(path, config, rules):
    """A drive whose requests fail as the rules say."""
    config.write_text("".join(f"[inject-error]\n{rule}\n" for rule in rules))
    return f"blkdebug:{config}:{path}"


def test_what_goes_wrong(machine, tmp_path):
    """Sectors that cannot be read or written, a disk that is read-only, tables that are damaged or lie."""
    images = [disk_image.make(tmp_path / f"{n}.img", 2, n) for n in range(5)]
    for image in images[1:]:
        disk_image.partition(image, [("a", 100, 199), ("b", 200, 299)])
    # The first copy of the table is damaged; then both; then one says that its partitions overlap.
    damage = {2: [512 + 40], 3: [512 + 40, (4096 - 1) * 512 + 40]}
    for n, places in damage.items():
        with open(images[n], "r+b") as f:
            for place in places:
                f.seek(place)
                f.write(b"\xff")
    disk_image.partition(images[4], [("a", 100, 250), ("b", 200, 299)])
    bad = blkdebug(images[0], tmp_path / "rules", ['event = "read_aio"\nerrno = "5"\nsector = "2000"',
                                                   'event = "write_aio"\nerrno = "28"\nsector = "1000"'])
    devices = virtio(bad, "bad", drive=",rerror=report,werror=report")
    devices += virtio(images[1], "ro", drive=",readonly=on")
    for n in range(2, 5):
        devices += virtio(images[n], f"t{n}")
    with boot(machine, devices) as m:
        shell = Shell(m)
        disks = listed(shell)
        assert [d for d in disks if d.endswith("p2")] == ["disk1p2", "disk2p2"]
        assert disks["disk1"]["read_only"] and disks["disk1p1"]["read_only"]
        assert "checksum is wrong" in disks["disk3"]["partition_table_error"]
        assert "overlap" in disks["disk4"]["partition_table_error"]
        assert "overlap" in "\n".join(shell.run("disks"))
        # QEMU makes one of neighbours, which then fail together; which ones depends on when they come.
        lines = shell.run("disktest disk0")
        assert re.match(r"sectors \d+ to \d+: (I/O|i/o) error", lines[0], re.I), lines
        assert re.search(r"sectors read .* [1-9]\d* problem", lines[-1]), lines
        lines = shell.run("disktest --destroy disk0 1500")
        assert re.match(r"sectors \d+ to \d+: (I/O|i/o) error", lines[0], re.I), lines
        assert re.search(r"written and read .* [1-9]\d* problem", lines[-1]), lines
        assert "Read-only" in shell.run("disktest --destroy disk1p1")[0]
        assert disk_image.checksum(images[1]) in shell.run("disktest disk1")[-1]
        assert " 0 problems" in shell.run("disktest --destroy disk2")[-1]
        shell.poweroff()
    assert disk_image.read(images[2]) == disk_image.pattern(4096)


def test_resize(machine, tmp_path):
    image = disk_image.make(tmp_path / "disk.img", 2)
    with boot(machine, virtio(image)) as m:
        shell = Shell(m)
        assert listed(shell)["disk0"]["bytes"] == 2 << 20
        m.qmp("block_resize", device="one", size=3 << 20)
        assert listed(shell)["disk0"]["bytes"] == 3 << 20
        assert disk_image.checksum(image) in shell.run("disktest disk0")[-1]
        shell.poweroff()


def throttle(machine, drive, bytes_a_second):
    machine.qmp("block_set_io_throttle", device=drive, bps=bytes_a_second, bps_rd=0, bps_wr=0, iops=0, iops_rd=0, iops_wr=0)


def test_timeout(machine, tmp_path):
    """The disk stands still for longer than it may: it is reset, and what was under way is done again."""
    image = disk_image.make(tmp_path / "disk.img", 2)
    with boot(machine, virtio(image), dom0="disk-timeout=3") as m:
        shell = Shell(m)
        throttle(m, "one", 1000)
        m.send("disktest disk0\r")
        m.expect("disk0: a request takes too long; it is reset")
        throttle(m, "one", 0)
        m.expect(rf"4096 sectors read in .* CRC-32 {disk_image.checksum(image)}, 0 problems")
        shell.poweroff()


@pytest.mark.long
@pytest.mark.parametrize("chipset", ["q35", "pc"])
def test_without_acpica(machine, tmp_path, chipset):
    """A dom0 without ACPICA (make ACPI=0) takes lines as the firmware wrote them down. It hears the power button, too."""
    image = disk_image.make(tmp_path / "d.img", 2, 1)
    with machine("dom0_mem=32M", [(os.path.join(BUILD, "plain/dom0"), "")], qemu=virtio(image, device=",vectors=0"), chipset=chipset) as m:
        shell = Shell(m)
        assert disk_image.checksum(image) in shell.run("disktest disk0")[-1]
        assert int(re.search(r"interrupts: line (\d+)", "\n".join(shell.run("lspci -v"))).group(1)) < 16
        m.qmp("system_powerdown")
        m.expect("The power button: the machine is switched off.")
        m.wait_off()


@pytest.mark.parametrize("chipset,lines", [("q35", range(16, 24)), pytest.param("pc", range(16), marks=pytest.mark.long)])
def test_lines_by_acpi(machine, tmp_path, chipset, lines):
    """ACPI's methods tell where lines lead: also of a device behind bridges."""
    images = [disk_image.make(tmp_path / f"{n}.img", 2, n) for n in range(2)]
    bridges = {"q35": ["-device", "pcie-root-port,id=above,chassis=1", "-device", "pcie-pci-bridge,id=behind,bus=above"],
               "pc": ["-device", "pci-bridge,id=behind,chassis_nr=1"]}[chipset]
    devices = virtio(images[0], device=",vectors=0") + bridges + virtio(images[1], "two", device=",vectors=0,bus=behind,addr=3")
    with boot(machine, devices, chipset=chipset) as m:
        shell = Shell(m)
        for name, disk in listed(shell).items():
            image = images[disk["serial"] == "two"]
            assert disk_image.checksum(image) in shell.run(f"disktest {name}")[-1]
        found = re.findall(r"interrupts: line (\d+)", "\n".join(shell.run("lspci -v")))
        assert len(found) == 2 and all(int(line) in lines for line in found)
        shell.poweroff()
