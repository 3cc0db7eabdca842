# SPDX-License-Identifier: MIT
"""GRUB's own image for Xen (grub-xen-bin) as a domain: its prompt, and a Linux that it boots from what it was given."""
import os
import subprocess

import linux
from xl import Xl, xl_machine

CONFIG = 'name = "grub"\nkernel = "/boot/grub"\nmemory = 384\n'
GRUB = "grub> "


def grub_image(folder):
    """GRUB with a memory disk that holds Debian's generic kernel (XZ, which it can unpack) and an initrd."""
    os.symlink(linux.kernel(), folder / "vmlinuz")
    linux.make_initrd(folder / "initrd")
    subprocess.run(["tar", "--format=ustar", "-C", folder, "-chf", folder / "disk.tar", "vmlinuz", "initrd"], check=True)
    (folder / "early").write_text("set root=(memdisk)\n")
    modules = "normal echo ls linux memdisk tar xzio gzio minicmd".split()
    subprocess.run(["grub-mkimage", "-d", os.path.join(linux.DEBIAN, "grub-xen-bin/usr/lib/grub/x86_64-xen"), "-O",
                    "x86_64-xen", "-p", "(memdisk)/", "-c", folder / "early", "-m", folder / "disk.tar", "-o",
                    folder / "grub", *modules], check=True)
    return folder / "grub"


def test_domu_grub(machine, tmp_path):
    with xl_machine(machine, tmp_path, {"grub": CONFIG}, {"boot/grub": grub_image(tmp_path)}, cpus=2, memory="768M") as m:
        xl = Xl(m)
        m.send("xl create -c grub\r")
        for command in ("ls (memdisk)/", "linux (memdisk)/vmlinuz console=hvc0", "initrd (memdisk)/initrd"):
            m.expect(GRUB)
            m.send(command + "\r")
        m.expect(GRUB)
        m.send("boot\r")
        m.expect("Linux version 6.1")
        m.expect("INIT REACHED", timeout=300)
        xl.leave()
        xl.xl("destroy grub")
        xl.poweroff()
