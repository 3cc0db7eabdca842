# SPDX-License-Identifier: MIT
"""Debian's unmodified Linux as the first domain, from GRUB to a shell and to the machine's end."""
import hashlib
import os
import random
import re

import pytest

import machine as machine_module
from linux import Linux, linux_machine
from test_grub_xen import real_xen

TRACE = os.path.join(machine_module.BUILD, "tests/trace")
# Device in QEMU, modules and name in Linux.
DISKS = {"virtio": ("virtio-blk-pci,drive=virtio", ["virtio_pci", "virtio_blk"], "vda"),
         "ahci": ("ide-hd,drive=ahci,bus=ide.0", ["ahci", "sd_mod"], "sda"),
         "nvme": ("nvme,drive=nvme,serial=d", ["nvme"], "nvme0n1")}


def check_cpus(linux, cpus):
    assert linux.run("grep -c ^processor /proc/cpuinfo").strip() == str(cpus)


def make_disk(folder, kind):
    """A disk of 4 MiB: its content, and QEMU's arguments."""
    content = random.Random(kind).randbytes(4 << 20)
    (folder / kind).write_bytes(content)
    return content, ["-drive", f"file={folder}/{kind},format=raw,if=none,id={kind}", "-device", DISKS[kind][0]]


def check_disk(linux, folder, content, kind):
    """All of the disk reads as it is; a block that Linux copies arrives, and nothing else changes."""
    name = DISKS[kind][2]
    linux.run(f"while ! [ -b /dev/{name} ]; do usleep 10000; done")
    assert hashlib.sha256(content).hexdigest() in linux.run(f"sha256sum /dev/{name}")
    linux.run(f"dd if=/dev/{name} of=/dev/{name} bs=4096 skip=9 seek=77 count=1 conv=fsync")
    assert (folder / kind).read_bytes() == content[:77 * 4096] + content[9 * 4096:10 * 4096] + content[78 * 4096:]


def check_hotplug(linux, cpus):
    """Every CPU but the first goes and comes back."""
    for cpu in range(1, cpus):
        for state, expected in ((0, cpus - 1), (1, cpus)):
            linux.run(f"echo {state} > /sys/devices/system/cpu/cpu{cpu}/online")
            check_cpus(linux, expected)


def test_linux_one_cpu(machine):
    """One CPU, BIOS: memory is what dom0_mem says, nobody complains, poweroff switches the machine off."""
    with linux_machine(machine, dict(cpu="Haswell", memory="768M"), memory="dom0_mem=384M") as m:
        linux = Linux(m)
        check_cpus(linux, 1)
        # What is not free pages: the kernel itself, its arrays for all addresses, 64 MiB of bounce buffers.
        total = int(re.search(r"MemTotal:\s+(\d+)", linux.run("cat /proc/meminfo")).group(1))
        assert 240 << 10 < total < 384 << 10
        linux.poweroff()


def test_linux_hotplug_and_disk(machine, tmp_path):
    """Two CPUs: a debugger's traps; one goes and comes back; a disk reads as written; reboot restarts the machine."""
    content, disk = make_disk(tmp_path, "virtio")
    with linux_machine(machine, dict(cpu="EPYC", cpus=2, memory="768M", qemu=[*disk, "-no-reboot"]),
                       modules=DISKS["virtio"][1], files={"bin/trace": TRACE}) as m:
        linux = Linux(m)
        check_cpus(linux, 2)
        assert "2 rounds passed" in linux.run("trace 2")
        check_hotplug(linux, 2)
        check_disk(linux, tmp_path, content, "virtio")
        linux.check_log()
        m.send("reboot -f\r")
        m.wait_off()  # QEMU ends where the machine would restart
        assert "(CERNE) Restarting" in m.output()


def test_linux_uefi(machine):
    """Four CPUs, UEFI, every CPU feature that the emulator has; Linux finds ACPI through UEFI's tables, and
    uses UEFI's variables."""
    with linux_machine(machine, dict(cpu="max", cpus=4, memory="1G", uefi=True), modules=["efivarfs"]) as m:
        linux = Linux(m)
        check_cpus(linux, 4)
        linux.run("mkdir /efi && mount -t efivarfs none /efi")
        assert "BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c" in linux.run("ls /efi")
        ours = "/efi/CerneTest-12345678-1234-1234-1234-123456789abc"
        linux.run(f"printf '\\007\\0\\0\\0kept' > {ours} && umount /efi && mount -t efivarfs none /efi")
        assert linux.run(f"tail -c 4 {ours}").endswith("kept")
        linux.poweroff()


@pytest.mark.long
@pytest.mark.parametrize("uefi", [False, True], ids=["bios", "uefi"])
@pytest.mark.parametrize("cpus", [1, 2, 4])
@pytest.mark.parametrize("cpu", ["Haswell", "EPYC", "max"])
def test_linux_matrix(machine, cpu, cpus, uefi):
    """Every machine: to the shell, CPUs off and on, off."""
    with linux_machine(machine, dict(cpu=cpu, cpus=cpus, memory="1G", uefi=uefi)) as m:
        linux = Linux(m)
        check_cpus(linux, cpus)
        check_hotplug(linux, cpus)
        linux.poweroff()


@pytest.mark.long
def test_linux_reboot(machine):
    """After a reboot the machine is up again."""
    with linux_machine(machine, dict(cpu="Haswell", cpus=2, memory="768M")) as m:
        Linux(m)
        m.send("reboot -f\r")
        m.expect(r"\(CERNE\) Restarting")
        Linux(m).poweroff()


@pytest.mark.parametrize("size, memory, least", [
    ("6G", "dom0_mem=384M,max:384M", 240), pytest.param("4G", "", 3200, marks=pytest.mark.long),
    pytest.param("16G", "dom0_mem=8G", 7600, marks=pytest.mark.long)])
def test_linux_large(machine, size, memory, least):
    """Machines with a hole for devices in the middle of their memory; Linux may have some of it, all, or 8 GiB."""
    with linux_machine(machine, dict(cpu="Haswell", cpus=2, memory=size), memory=memory) as m:
        linux = Linux(m)
        total = int(re.search(r"MemTotal:\s+(\d+)", linux.run("cat /proc/meminfo")).group(1))
        assert total > least << 10
        linux.run(f"dd if=/dev/zero of=/big bs=1M count={min(least // 4, 2048)} && rm /big")
        linux.poweroff()


def warnings(linux):
    """What the kernel's log has at level "warning" or worse, without times, addresses and other numbers."""
    lines = re.findall(r"^<(\d+)>\[ *[\d.]+\] (.*)$", linux.run("dmesg -r"), re.M)
    return {re.sub(r"\b(0x)?[0-9a-f]*[0-9][0-9a-f]*\b", "#", text) for level, text in lines if int(level) & 7 <= 4}


@pytest.mark.long
@pytest.mark.parametrize("cpus", [1, 2])
def test_linux_log(machine, tmp_path, cpus):
    """Linux warns of nothing here that it does not warn of on the real Xen."""
    logs = []
    for options in ({}, dict(cerne=real_xen(tmp_path), audit=False)):
        console = "console=com1 com1=115200" if options else ""
        with linux_machine(machine, dict(cpu="Haswell", cpus=cpus, memory="1G", **options), "loglevel=4",
                           modules=["virtio_pci", "ahci"], cmdline=console) as m:
            linux = Linux(m)
            logs.append(warnings(linux))
    ours, theirs = logs
    assert not ours - theirs, "\n".join(sorted(ours - theirs))
