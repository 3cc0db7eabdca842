# SPDX-License-Identifier: MIT
"""Debian, unmodified, in a domain that boots from its own disk (scripts/make-debian-root)."""
import os
import subprocess

import linux
import machine as machine_module
from test_xl_linux import Guest
from xl import xl_machine

ROOT = os.path.join(machine_module.TOP, os.environ.get("THIRD_PARTY", "build/third-party"), "debian-root")
PVGRUB = os.path.join(linux.DEBIAN, "grub-xen-host/usr/lib/grub-xen/grub-x86_64-xen.bin")

# What a domain needs that boots the kernel from dom0's files, and one that boots whatever its disk says.
DIRECT = 'kernel = "/boot/vmlinuz"\nramdisk = "/boot/initrd.img"\nroot = "/dev/xvda ro"\nextra = "console=hvc0"\n'
GRUB = 'kernel = "/boot/pvgrub"\n'


def config(boot, disks, vcpus=1, memory=256, **settings):
    """A configuration of the domain `debian`; other settings are words of xl.cfg as they stand there."""
    lines = [f'name = "debian"\n{boot}', f"memory = {memory}", f"vcpus = {vcpus}", f"disk = {disks!r}",
             *(f"{key} = {value!r}" for key, value in settings.items())]
    return "\n".join(lines) + "\n"


def debian_machine(make, folder, configs, **arguments):
    """A machine with configurations (name to text) and what they boot in dom0's root."""
    files = {"boot/vmlinuz": os.path.join(ROOT, "vmlinuz"), "boot/initrd.img": os.path.join(ROOT, "initrd.img"),
             "boot/pvgrub": PVGRUB}
    return xl_machine(make, folder, configs, files, cmdline="dom0_mem=96M", **arguments)


def root_copy(folder, name="root.img"):
    """A copy of the image that a test may write to."""
    path = os.path.join(folder, name)
    subprocess.run(["cp", "--sparse=always", os.path.join(ROOT, "root.img"), path], check=True)
    return path


def drive(path, kind="virtio-blk-pci", name="root"):
    """QEMU's arguments for a drive of the machine, at a controller of some kind."""
    device = {"nvme": [f"nvme,drive={name},serial={name}"], "ahci": ["ahci,id=sata", f"ide-hd,drive={name},bus=sata.0"]}.get(
        kind, [f"{kind},drive={name}"])
    return ("-drive", f"file={path},format=raw,if=none,id={name},discard=unmap",
            *(word for part in device for word in ("-device", part)))


def check_filesystem(path, offset=0, files=None):
    """The file system is clean without its journal having to be replayed, and holds these files (path to contents)."""
    place = f"{path}?offset={offset}" if offset else path
    done = subprocess.run(["/sbin/e2fsck", "-f", "-n", place], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "recovering journal" not in done.stdout, done.stdout
    for name, contents in (files or {}).items():
        read = subprocess.run(["/sbin/debugfs", "-R", f"cat {name}", place], capture_output=True, check=True).stdout
        assert read == contents, (name, read[:100])


class Debian(Guest):
    """A session with Debian's shell; root is logged in."""

    ready, prompt = r"debian login: root \(automatic login\)", "debian# "

    def fio(self, file, **settings):
        """Write and read back with verification; no error may have come."""
        words = {"name": "verify", "filename": file, "direct": 1, "verify": "crc32c", "verify_fatal": 1, "ioengine": "libaio",
                 "rw": "randwrite", "bs": "4k", "iodepth": 8, "size": "4m", "do_verify": 1, **settings}
        output = self.run("fio " + " ".join(f"--{key}={value}" for key, value in words.items()), timeout=300)
        assert "err= 0" in output, output
        return output

    def poweroff(self):
        """Shut down as a person does, and wait until dom0 has seen it and the domain is gone."""
        self.start("poweroff")
        self.machine.expect(r"has shut down: destroy", timeout=120)
        self.dom0.leave()
        self.dom0.wait_for("gone", lambda domains: self.name not in domains)
