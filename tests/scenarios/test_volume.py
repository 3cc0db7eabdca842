# SPDX-License-Identifier: MIT
"""dom0's volume: made, filled, used by guests, read by Linux's tools, and whole after power cuts."""
import hashlib
import json
import random
import subprocess

import pytest

import disk_image
import linux
from test_block import Guest, fnv
from test_xl_linux import Guest as LinuxGuest
from xl import EXAMPLE, Xl, xl_machine

CFG = 'name = "v"\nkernel = "/volume/boot/example"\nmemory = 16\ndisk = ["/volume/images/{image},raw,xvda,w"]\n'


def drive(*paths):
    return [argument for n, path in enumerate(paths) for argument in
            ("-drive", f"if=none,id=d{n},format=raw,file={path}", "-device", f"virtio-blk-pci,drive=d{n}")]


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
    disk, other = blank(tmp_path / "disk.img"), disk_image.make(tmp_path / "other.img", 8)
    imported = other.read_bytes()
    config = CFG.format(image="d")
    with xl_machine(machine, tmp_path, {"v": config}, qemu=drive(disk, other)) as m:
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
        assert images["d"]["preallocated"] and not images["s"]["preallocated"]
        assert "images may take 8 MiB more as they are written" in dom0.run("image list")[-1]
        dom0.xl("create -q v")
        Guest(dom0, "v").run("disk write 51712 8 16 90", r"disk 51712: written, status 0")
        assert "it is in use" in dom0.run("image delete d")[0]
        assert "a guest may write to it" in dom0.run("image export d disk1")[0]
        assert "used by guests" in dom0.run("volume unmount")[0]
        dom0.xl("destroy v")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        for command in ("image import i disk1", "image import e /boot/example", "image export d disk1", "volume unmount"):
            assert dom0.run(command) == [], command
        dom0.poweroff()
    assert_clean(disk)
    assert contents(disk, "/images/i") == imported
    assert contents(disk, "/images/e") == open(EXAMPLE, "rb").read()
    data = bytearray(8 << 20)
    data[8 * 512:24 * 512] = b"Z" * (16 * 512)
    assert contents(disk, "/images/d") == data == other.read_bytes()
    assert contents(disk, "/xl/w.cfg").decode() == config
    with xl_machine(machine, tmp_path, qemu=drive(disk)) as m:
        dom0 = Xl(m)
        assert "Volume: disk0, 64 MiB" in m.output()
        dom0.xl("create -q w")
        Guest(dom0, "v").run("disk sum 51712", f"disk 51712: sum {fnv(data)}")
        dom0.poweroff()


def cut_round(machine, folder, disk, first, expected, rng):
    """Boot, let the guest write to its sparse disk and dom0 copy files, and cut the power in the middle. `expected`: what the
    guest's disk must hold, sector by sector: a set of bytes that it may be filled with."""
    with xl_machine(machine, folder, {"v": CFG.format(image="s")}, qemu=drive(disk), audit=False) as m:
        dom0 = Xl(m)
        if first:
            dom0.run("volume format disk0 -y")
            dom0.run("volume mount disk0")
            for command in ("mkdir /volume/boot", "cp /boot/example /volume/boot", "image create s 16m --sparse"):
                assert dom0.run(command) == []
        else:
            assert "Volume: disk0" in m.output() and "read-only" not in m.output()
        dom0.xl("create -q v")
        m.send("xl console v\r")
        for n in range(rng.randrange(5, 15)):
            sector, count, byte = rng.randrange(32000), rng.randrange(1, 200), rng.randrange(65, 91)
            for s in range(sector, sector + count):
                expected.setdefault(s, {0}).add(byte)
            m.send(f"disk write 51712 {sector} {count} {byte}\r")
            m.expect(r"disk 51712: written, status 0")
            for s in range(sector, sector + count):
                expected[s] = {byte}
        dom0.leave()
        # Half of the time dom0 is in the middle of something of its own too.
        if rng.randrange(2):
            m.send(f"cp /boot/example /volume/boot/copy{rng.randrange(4)}\r")
        m.send("xl console v\r")
        sector, count, byte = rng.randrange(32000), rng.randrange(200, 700), rng.randrange(65, 91)
        for s in range(sector, sector + count):
            expected.setdefault(s, {0}).add(byte)
        m.send(f"disk write 51712 {sector} {count} {byte}\r")
        m.expect(r"disk write 51712")
        m.expect_quiet("panic", rng.random() / 5)


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.long)])
def test_power_cuts(machine, tmp_path, rounds):
    """QEMU is killed in the middle of writes. What the guest was told is written, which it flushed, is there; Linux's e2fsck,
    having replayed the journal, finds nothing; dom0 goes on with it."""
    rng, expected = random.Random(rounds), {}
    disk, copy = blank(tmp_path / "disk.img"), tmp_path / "copy.img"
    for n in range(rounds):
        cut_round(machine, tmp_path, disk, n == 0, expected, rng)
        copy.write_bytes(disk.read_bytes())
        status, said = e2fsck(copy, "-E", "journal_only", "-y")
        assert status <= 1, said
        assert_clean(copy)
        data = contents(copy, "/images/s")
        for sector, bytes_ in expected.items():
            found = set(data[sector * 512:(sector + 1) * 512])
            assert len(found) == 1 and found <= bytes_, f"round {n}, sector {sector}: {found}, not {bytes_}"
            # What a cut left is what there is from now on.
            expected[sector] = found


def allocated(dom0, name):
    return json.loads("\n".join(dom0.run(f"image info {name} --json")))["allocated_bytes"]


def test_linux_on_a_volume(machine, tmp_path):
    """A volume that a Linux machine made and filled: Debian's kernel boots from it, with an overlay over an image that stays as it
    is, and grows under the running guest; what it writes is in the copy of both that dom0 makes, what it has removed and trimmed
    is the volume's again."""
    tree = tmp_path / "tree"
    for folder in ("boot", "xl", "images"):
        (tree / folder).mkdir(parents=True)
    (tree / "boot/vmlinuz").write_bytes(open(linux.kernel(), "rb").read())
    linux.make_initrd(str(tree / "boot/initrd"), ["crc32c_generic", "xen_blkfront", "ext4"])
    (tree / "xl/linux.cfg").write_text(
        'name = "linux"\nkernel = "/volume/boot/vmlinuz"\nramdisk = "/volume/boot/initrd"\nextra = "console=hvc0"\n'
        'memory = 256\nvcpus = 2\ndisk = ["/volume/images/work,raw,xvda,w"]\n')
    base = blank(tree / "images/base", 32)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", base], check=True)
    before = base.read_bytes()
    disk = blank(tmp_path / "disk.img", 192)
    subprocess.run(["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-L", "cerne", "-d", tree, disk], check=True)
    with xl_machine(machine, tmp_path, qemu=drive(disk), cpus=2, memory="1G", cmdline="dom0_mem=64M") as m:
        dom0 = Xl(m)
        assert "Volume: disk0" in m.output()
        assert "goes on where base is now" in dom0.run("image snapshot base work")[0]
        dom0.xl("create -q linux")
        guest = LinuxGuest(dom0, "linux")
        guest.run("mkdir /m; mount -t ext4 /dev/xvda /m; dd if=/dev/urandom of=/m/file bs=64k count=128 2>/dev/null")
        wanted = guest.run("md5sum </m/file").split()[0]
        guest.run("umount /m; mount -t ext4 -o ro /dev/xvda /m")
        assert guest.run("md5sum </m/file").split()[0] == wanted
        guest.run("umount /m; mount -t ext4 /dev/xvda /m; dd if=/dev/zero of=/m/much bs=64k count=128 2>/dev/null; sync")
        taken = allocated(dom0, "work")
        guest.run("rm /m/much; sync; fstrim /m; umount /m")
        assert allocated(dom0, "work") < taken - (7 << 20)
        assert dom0.run("image resize work 40m") == []
        guest.run("until [ $(cat /sys/block/xvda/size) = 81920 ]; do sleep 0.2; done")
        guest.run("echo grown | dd of=/dev/xvda bs=1k seek=40959 conv=fsync 2>/dev/null")
        assert not linux.BAD.findall(guest.run("dmesg"))
        dom0.xl("destroy linux")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        # Nothing, but how far it is if it takes its time.
        assert [line for line in dom0.run("image export work flat") if "copying" not in line] == []
        dom0.run("volume unmount")
        dom0.poweroff()
    assert_clean(disk)
    assert contents(disk, "/images/base") == before
    flat = tmp_path / "flat"
    flat.write_bytes(contents(disk, "/images/flat"))
    assert flat.read_bytes()[32 << 20:].rstrip(b"\0") == bytes(8191 << 10) + b"grown\n"
    assert_clean(flat)
    assert hashlib.md5(contents(flat, "/file")).hexdigest() == wanted
