# SPDX-License-Identifier: MIT
"""Debian, unmodified, on each of dom0's drivers and each source of a disk, as its root and beside it; and all that a ring can do."""
import filecmp
import os
import subprocess

import pytest

import disk_image
from debian import DIRECT, check_filesystem, config, debian_machine, drive, root_copy
from test_block import disks
from test_debian import start
from test_nbd import Server
from test_uplink import HOST
from test_volume import blank
from xl import Xl

# Guests of two vCPUs have one CPU here: when a busy host takes CPUs from QEMU, each waits for locks that the other has, and booting
# Debian takes many times as long. test_block.py and test_disk_faults.py have two vCPUs on two CPUs.
MIB = 1 << 20
CARD = ("-netdev", "user,id=wire", "-device", "virtio-net-pci,netdev=wire")


def make_volume(path, tree, mib):
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-L", "cerne", "-d", tree, path, f"{mib}M"], check=True, capture_output=True)
    return path


def join(path, **parts):
    """A disk with partitions, from a file each, which is used up. Returns where each begins, in bytes."""
    places, at = [], 1
    for name, part in parts.items():
        places.append((name, at, at + os.path.getsize(part) // MIB))
        at = places[-1][2]
    blank(path, at + 1)
    disk_image.partition(path, [(name, first * 2048, end * 2048 - 1) for name, first, end in places])
    for name, first, _ in places:
        subprocess.run(["dd", f"if={parts[name]}", f"of={path}", "bs=1M", f"seek={first}", "conv=notrunc,sparse", "status=none"],
                       check=True)
        os.remove(parts[name])
    return {name: first * MIB for name, first, _ in places}


def on_each(guest, vdevs, command):
    """A command for each of some disks, $d, in turn; the first that fails ends it."""
    return guest.run(f"(set -e; for d in {' '.join(vdevs)}; do {command}; done)")


# A disk in dom0's memory begins empty and ends with its domain: nothing can boot from it.
SOURCES = ["disk", "partition", "file", "overlay", "nbd", "ram"]


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind,vcpus,root", [("virtio-blk-pci", 1, "overlay"), ("nvme", 1, "disk"), ("ahci", 1, "file"),
                                             ("virtio-blk-pci", 2, "nbd"), ("nvme", 2, "partition"), ("ahci", 2, "disk")])
def test_disk_matrix(machine, tmp_path, kind, vcpus, root):
    """Every driver with one vCPU and with two, every source as a root once; it boots from there and uses all others at the same time,
    with verification. At the next boot and for Linux's tools on the host everything is there, and clean without a repair."""
    tree, volume, whole, remote, first = (tmp_path / name for name in ("tree", "volume", "disk", "nbd", "first"))
    (tree / "images").mkdir(parents=True)
    for name, path in {"disk": whole, "partition": tmp_path / "partition", "file": tree / "images/file",
                       "overlay": tree / "images/base", "nbd": remote}.items():
        root_copy(*os.path.split(path)) if name == root else blank(path, 32)
    places = join(first, cerne=make_volume(volume, tree, 700), guest=tmp_path / "partition")
    server = Server(str(remote))
    targets = {"disk": "disk1", "partition": "PARTLABEL=guest", "file": "/volume/images/file", "overlay": "/volume/images/overlay",
               "nbd": f"nbd://{HOST}:{server.port}/disk", "ram": "ram:32M"}
    others = {name: f"xvd{letter}" for letter, name in zip("bcdef", [name for name in SOURCES if name != root])}
    lasting = [vdev for name, vdev in others.items() if name != "ram"]
    specifications = [f"vdev={vdev},target={targets[name]}" for name, vdev in {root: "xvda", **others}.items()]
    server.start()
    try:
        with debian_machine(machine, tmp_path, {"debian": config(DIRECT, specifications, vcpus)}, cpus=3 - vcpus, memory="1G",
                            qemu=(*drive(first, whole, kind=kind), *CARD)) as m:
            dom0 = Xl(m)
            dom0.run("ip dhcp")
            dom0.run("image snapshot base overlay")
            guest = start(dom0)
            guest.run("echo matrix >/mark")
            on_each(guest, others.values(), "mke2fs -q -t ext4 /dev/$d; mkdir /mnt/$d; mount /dev/$d /mnt/$d; echo matrix >/mnt/$d/mark")
            guest.fio("/srv/fio", *(f"/mnt/{vdev}/fio" for vdev in others.values()), size="8m", iodepth=16)
            on_each(guest, others.values(), "rm /mnt/$d/fio; umount /mnt/$d; e2fsck -fn /dev/$d")
            guest.poweroff()
            guest = start(dom0, said=r"debian: clean,")
            guest.run("grep matrix /mark")
            on_each(guest, lasting, "e2fsck -fn /dev/$d; mount -o ro /dev/$d /mnt/$d; grep matrix /mnt/$d/mark")
            guest.poweroff()
            dom0.poweroff()
    finally:
        server.kill()
    check_filesystem(first, places["cerne"])
    for name in ("base", "file"):
        subprocess.run(["/sbin/debugfs", "-R", f"dump /images/{name} {tmp_path}/{name}", f"{first}?offset={places['cerne']}"],
                       check=True, capture_output=True)
    assert filecmp.cmp(tmp_path / "base", tree / "images/base", shallow=False)
    for image, offset in ((first, places["guest"]), (whole, 0), (remote, 0), (tmp_path / "file", 0)):
        check_filesystem(image, offset, files={"/mark": b"matrix\n"})


def grown(guest, vdev, mib):
    """Wait until the guest has seen how large a disk is now."""
    guest.run(f"until [ $(cat /sys/block/{vdev}/size) = {mib * 2048} ]; do sleep 0.2; done")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_rings_and_resize(machine, tmp_path):
    """Two queues with rings of four pages: deep queues, large requests, flushes, discards; a disk of dom0's and an image that grow
    while Linux has them."""
    root, whole = root_copy(tmp_path), blank(tmp_path / "disk", 32)
    (tmp_path / "tree").mkdir()
    volume = make_volume(tmp_path / "volume", tmp_path / "tree", 96)
    boot = DIRECT.replace("console=hvc0", "console=hvc0 xen_blkfront.max_ring_page_order=2 xen_blkfront.max_queues=2")
    configs = {"debian": config(boot, ["disk0,,xvda", "disk1,,xvdb", "/volume/images/image,,xvdc"], 2)}
    with debian_machine(machine, tmp_path, configs, memory="1G", qemu=drive(root, whole, volume)) as m:
        dom0 = Xl(m)
        assert dom0.run("image create image 32m") == []
        guest = start(dom0)
        domid = dom0.domains()["debian"]["domid"]
        for vdev in (51728, 51744):
            place = f"/local/domain/{domid}/device/vbd/{vdev}"
            assert dom0.run(f"xenstore-read {place}/ring-page-order {place}/multi-queue-num-queues") == ["2", "2"]
            for queue in range(2):
                assert {f"ring-ref{n}" for n in range(4)} <= set(dom0.run(f"xenstore-list {place}/queue-{queue}"))

        def counted(vdev, *files, **fio):
            """By how much each number of that disk grows."""
            before = disks(dom0)[domid, vdev]
            guest.fio(*files, **fio)
            after = disks(dom0)[domid, vdev]
            return {name: after[name] - before[name] for name in ("writes", "written_sectors", "flushes", "discards", "refused", "errors")}

        both = ("/dev/xvdb", "/dev/xvdc")
        counted(51728, *both, numjobs=2, offset_increment="8m", iodepth=64)
        large = counted(51728, *both, bs="1m", size="8m", iodepth=4)
        assert large["written_sectors"] == 16384 and large["writes"] == 64, large  # 32 segments each: indirect ones
        assert counted(51728, *both, fsync=1, size="1m", iodepth=1)["flushes"] >= 255
        assert counted(51728, *both, sync="dsync", size="1m", iodepth=1)["flushes"] >= 256
        guest.run("mke2fs -q -t ext4 /dev/xvdb && mount /dev/xvdb /mnt && dd if=/dev/urandom of=/mnt/x bs=1M count=16 conv=fsync")
        used = os.stat(whole).st_blocks
        guest.run("rm /mnt/x; sync; fstrim -v /mnt; umount /mnt")
        # Linux goes on writing tables of the new file system meanwhile.
        assert disks(dom0)[domid, 51728]["discards"] and used - os.stat(whole).st_blocks >= 12 * 2048
        m.qmp("block_resize", device="d1", size=48 * MIB)
        grown(guest, "xvdb", 48)
        assert dom0.run("image resize image 40m") == []
        grown(guest, "xvdc", 40)
        guest.fio(*both, offset="32m", size="8m")
        guest.run("mount /dev/xvdb /mnt && resize2fs /dev/xvdb && umount /mnt && e2fsck -fn /dev/xvdb")
        guest.run("yes | dd of=/dev/xvdc bs=1M seek=39 count=1 iflag=fullblock conv=fsync")
        assert not any(disk["errors"] or disk["refused"] for disk in disks(dom0).values())
        guest.poweroff()
        dom0.poweroff()
    for image in (root, whole, volume):
        check_filesystem(image)
    assert os.path.getsize(whole) == 48 * MIB
    subprocess.run(["/sbin/debugfs", "-R", f"dump /images/image {tmp_path}/image", volume], check=True, capture_output=True)
    with open(tmp_path / "image", "rb") as f:
        f.seek(39 * MIB)
        assert f.read() == b"y\n" * (MIB // 2)
