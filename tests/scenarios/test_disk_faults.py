# SPDX-License-Identifier: MIT
"""Disks that fail below guests: the guest is told, or pauses, as its configuration says; dom0 and other guests go on."""
import hashlib
import json
import subprocess

import disk_image
import linux
from test_block import Guest, disks, fnv
from test_disks import blkdebug, virtio
from test_disks_native import ahci, nvme
from test_xl_linux import Guest as LinuxGuest
from xl import Xl, xl_machine

READ_FAILS, WRITE_FAILS = 2000, 1000
EXAMPLE = 'name = "{name}"\nkernel = "/boot/example"\nmemory = 16\ndisk = [{disks}]\n'
VDEVS = {"xvda": 51712, "xvdb": 51728, "xvdc": 51744}


def example(name, *specifications):
    return EXAMPLE.format(name=name, disks=", ".join(f'"{text}"' for text in specifications))


def test_disk_errors_of_guests(machine, tmp_path):
    """On each driver a sector that cannot be read and one that cannot be written, in a guest with all three; a neighbour
    on disks of the same controllers."""
    bad = [disk_image.make(tmp_path / f"bad{n}", 2, n) for n in range(3)]
    good = [disk_image.make(tmp_path / f"good{n}", 2, 10 + n) for n in range(3)]
    rules = [f'event = "read_aio"\nerrno = "5"\nsector = "{READ_FAILS}"',
             f'event = "write_aio"\nerrno = "5"\nsector = "{WRITE_FAILS}"']
    failing = [blkdebug(image, tmp_path / f"rules{n}", rules) for n, image in enumerate(bad)]
    report = ",rerror=report,werror=report"
    devices = virtio(failing[0], "b0", drive=report) + virtio(good[0], "g0")
    devices += nvme([(failing[1], "b1", "", ""), (good[1], "g1", "", "")])
    devices += ahci([(failing[2], "b2", "", report), (good[2], "g2", "", "")])
    # disk0, disk1: virtio; disk2, disk3: NVMe; disk4, disk5: SATA. The first of each fails.
    configs = {"bad": example("bad", *(f"/dev/disk{2 * n},raw,{vdev},rw" for n, vdev in enumerate(VDEVS))),
               "good": example("good", *(f"/dev/disk{2 * n + 1},raw,{vdev},rw" for n, vdev in enumerate(VDEVS)))}
    with xl_machine(machine, tmp_path, configs, qemu=devices) as m:
        dom0 = Xl(m)
        drivers = [disk["driver"] for disk in json.loads("\n".join(dom0.run("disks --json")))]
        assert drivers == ["virtio-blk"] * 2 + ["nvme"] * 2 + ["ahci"] * 2
        dom0.xl("create -q bad")
        dom0.xl("create -q good")
        failed, other = Guest(dom0, "bad"), Guest(dom0, "good")
        for n, number in enumerate(VDEVS.values()):
            failed.run(f"disk sum {number}", f"disk {number}: error -5")
            failed.run(f"disk write {number} {WRITE_FAILS} 8 65", f"disk {number}: error, status -5")
            failed.run(f"disk write {number} 0 8 90", f"disk {number}: written, status 0")
            other.run(f"disk sum {number}", f"disk {number}: sum {fnv(disk_image.read(good[n]))}")
        errors = [disk["errors"] for (_, vdev), disk in sorted(disks(dom0).items())]
        assert all(count > 0 for count in errors[:3]) and errors[3:] == [0, 0, 0], errors
        dom0.xl("destroy bad")
        other.run("disk write 51712 8 8 90", "disk 51712: written, status 0")
        # The next guest with those disks: what is well of them can be used.
        dom0.xl("create -q bad")
        failed.run("disk write 51728 8 8 66", "disk 51728: written, status 0")
        for name in ("bad", "good"):
            dom0.xl(f"destroy {name}")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        dom0.poweroff()
    for image in bad:
        assert disk_image.read(image, 0, 8) == b"Z" * 4096
    assert disk_image.read(bad[1], 8, 8) == b"B" * 4096


def test_linux_on_native_disks(machine, tmp_path):
    """Debian's kernel on all drivers at once, on two vCPUs: file systems that e2fsck finds clean, with what was written; and
    places that cannot be read or written, of which Linux tells its programs."""
    sectors, place = 16384, 14000
    images = [disk_image.make(tmp_path / f"disk{n}", sectors // 2048, n) for n in range(3)]
    rules = [f'event = "{event}_aio"\nerrno = "5"\nsector = "{place + at}"' for event, at in (("read", 0), ("write", 1000))]
    drives = [blkdebug(image, tmp_path / f"rules{n}", rules) for n, image in enumerate(images)]
    report = ",rerror=report,werror=report"
    devices = virtio(drives[0], "d0", drive=report) + nvme([(drives[1], "d1", "", "")]) + \
        ahci([(drives[2], "d2", "", report)])
    linux.make_initrd(tmp_path / "initrd", ["xen-blkfront", "crc32c_generic", "ext4"])
    config = ('name = "debian"\nkernel = "/boot/vmlinuz"\nramdisk = "/boot/initrd"\nextra = "console=hvc0"\nmemory = 256\n'
              'vcpus = 2\ndisk = ["/dev/disk0,raw,xvda,rw", "/dev/disk1,raw,xvdb,rw", "/dev/disk2,raw,xvdc,rw"]\n')
    files = {"boot/vmlinuz": linux.kernel(), "boot/initrd": str(tmp_path / "initrd")}
    with xl_machine(machine, tmp_path, {"debian": config}, files, cmdline="dom0_mem=128M", cpus=2, memory="1G", qemu=devices) as m:
        dom0 = Xl(m)
        dom0.xl("create -q debian")
        guest = LinuxGuest(dom0, "debian")
        for name, image in zip(VDEVS, images):
            sum_of = hashlib.md5(disk_image.read(image, 0, place)).hexdigest()
            assert sum_of in guest.run(f"head -c {place * 512} /dev/{name} | md5sum")
        guest.run("dd if=/dev/urandom of=/tmp/a bs=1M count=2 2>/dev/null; mkdir /mnt")
        guest.run(f"for d in {' '.join(VDEVS)}; do (mkdir /mnt/$d && mke2fs /dev/$d 6144 && mount -t ext4 /dev/$d /mnt/$d && "
                  "cp /tmp/a /mnt/$d/a && umount /mnt/$d) > /tmp/$d 2>&1 & done; wait")
        written = guest.run("md5sum /tmp/a").split()[0]
        for name in VDEVS:
            said = guest.run(f"dd if=/dev/{name} of=/dev/null bs=4k skip={place // 8} count=1 iflag=direct 2>&1", ok=False)
            assert "Input/output error" in said or "I/O error" in said, said
            said = guest.run(f"dd if=/tmp/a of=/dev/{name} bs=4k seek={(place + 1000) // 8} count=1 oflag=direct 2>&1", ok=False)
            assert "Input/output error" in said or "I/O error" in said, said
            assert written in guest.run(f"mount -t ext4 /dev/{name} /mnt/{name} && md5sum /mnt/{name}/a && umount /mnt/{name}")
        served = disks(dom0).values()
        assert all(disk["errors"] and disk["queues"] == 2 and not disk["refused"] for disk in served), served
        dom0.xl("destroy debian")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        dom0.poweroff()
    for image in images:
        subprocess.run(["/sbin/e2fsck", "-fn", image], check=True, stdout=subprocess.PIPE)
        found = subprocess.run(["/sbin/debugfs", "-R", "cat /a", image], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert hashlib.md5(found.stdout).hexdigest() == written


def test_disk_error_pauses_guest(machine, tmp_path):
    """on-error=pause: the guest stands still until somebody has mended the disk, and never sees an error."""
    image = disk_image.make(tmp_path / "disk", 2)
    once = blkdebug(image, tmp_path / "rules", [f'event = "{event}"\nerrno = "5"\nsector = "{sector}"\nonce = "on"'
                                               for event, sector in (("read_aio", READ_FAILS), ("write_aio", WRITE_FAILS))])
    config = example("g", "/dev/disk0,raw,xvda,rw,on-error=pause")
    with xl_machine(machine, tmp_path, {"g": config}, qemu=nvme([(once, "one", "", "")])) as m:
        dom0 = Xl(m)
        dom0.xl("create -q g")
        domid = dom0.domains()["g"]["domid"]
        guest = Guest(dom0, "g")
        for command, result in (("disk sum 51712", f"disk 51712: sum {fnv(disk_image.read(image))}"),
                                (f"disk write 51712 {WRITE_FAILS - 8} 16 65", "disk 51712: written, status 0")):
            m.send(f"xl console g\r{command}\r")
            m.expect(rf"Domain {domid} is paused: its disk 51712 .* has failed")
            dom0.leave()
            assert dom0.domains()["g"]["paused"] and disks(dom0)[domid, 51712]["held"] == 1
            m.send(f"xl console g\r")
            m.expect("xl console g")
            dom0.leave()
            assert dom0.run(f"block retry {domid} 51712") == []
            m.send("xl console g\r")
            m.expect(result)
            dom0.leave()
            assert not dom0.domains()["g"]["paused"]
        # A domain that is paused so can be destroyed, too.
        dom0.xl("destroy g")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        dom0.poweroff()
    assert disk_image.read(image, WRITE_FAILS - 8, 16) == b"A" * 8192
