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


def drive(*paths, kind="virtio-blk-pci"):
    """QEMU's arguments for drives of the machine, d0 and so on, at controllers of some kind."""
    device = {"nvme": "nvme,drive=d{0},serial=d{0}", "ahci": "ide-hd,drive=d{0},bus=sata.{0}"}.get(kind, f"{kind},drive=d{{0}}")
    return (*(("-device", "ahci,id=sata") if kind == "ahci" else ()),
            *(word for n, path in enumerate(paths) for word in
              ("-drive", f"file={path},format=raw,if=none,id=d{n},discard=unmap", "-device", device.format(n))))


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

    def fio(self, *files, **settings):
        """Write all these at once and read them back with verification; no error may have come."""
        words = {"direct": 1, "verify": "crc32c", "verify_fatal": 1, "ioengine": "libaio", "rw": "randwrite", "bs": "4k",
                 "iodepth": 8, "size": "4m", **settings}
        # In two lines: what is typed ahead of dom0 and does not fit into 256 bytes is lost.
        self.run("fio='fio --eta=never --name=global " + " ".join(f"--{key}={value}" for key, value in words.items()) + "'")
        output = self.run(f"$fio $(for f in {' '.join(files)}; do echo --name=$f --filename=$f; done)", timeout=2 * machine_module.BOOT)
        assert output.count("err= 0") == len(files) * words.get("numjobs", 1), output
        return output

    def poweroff(self):
        """Shut down as a person does, and wait until dom0 has seen it and the domain is gone."""
        self.start("poweroff")
        self.machine.expect(r"has shut down: destroy", timeout=machine_module.BOOT)
        self.dom0.leave()
        self.dom0.wait_for("gone", lambda domains: self.name not in domains)
