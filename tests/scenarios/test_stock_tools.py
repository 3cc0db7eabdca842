# SPDX-License-Identifier: MIT
"""Xen's own toolstack, as Debian ships it, in a Linux that is the first domain: xenstored, xenconsoled and xl make and run
a domain on this hypervisor's control interface."""
import functools
import glob
import os
import re

import linux
from linux import Linux, linux_machine

MODULES = ["xenfs", "xen_evtchn", "xen_gntdev", "xen_gntalloc", "xen_privcmd"]
TOOLS = {"usr/lib/xen-4.17/bin": ["xl", "xenstored", "xen-init-dom0", "xenconsoled", "xenconsole", "libxl-save-helper", "xen-cpuid"]}
GUEST = 'name = "guest"\nkernel = "/boot/vmlinuz"\nramdisk = "/boot/initrd"\nextra = "console=hvc0"\nmemory = 128\n'

# From nothing to a running toolstack, as its init scripts do it.
START = """mkdir -p /run/xenstored /run/xen /var/lib/xenstored /var/lib/xen /var/log/xen /var/lock /etc/xen
ln -s /run /var/run
: >/etc/xen/xl.conf
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t xenfs xenfs /proc/xen
xenstored --pid-file /var/run/xenstored.pid
xen-init-dom0
xenconsoled --log=none
"""


@functools.cache
def tools():
    """The programs with their libraries, as files of an initrd."""
    files = {}
    for folder, programs in TOOLS.items():
        for program in programs:
            # Where they expect each other.
            files.update(linux.package_program("xen-utils-4.17", f"{folder}/{program}", folder))
    for program in ("xenstore-ls", "xenstore-read"):
        files.update(linux.package_program("xenstore-utils", f"usr/bin/{program}", "bin"))
    # What pthread_cancel loads by itself.
    files["lib/libgcc_s.so.1"] = glob.glob(os.path.join(linux.DEBIAN, "libgcc-s1/**/libgcc_s.so.1"), recursive=True)[0]
    return files


def stock_machine(make, folder, **arguments):
    (folder / "guest.cfg").write_text(GUEST)
    (folder / "start").write_text(START)
    linux.make_initrd(str(folder / "initrd"))
    files = {**tools(), "guest.cfg": folder / "guest.cfg", "start": folder / "start", "boot/initrd": folder / "initrd",
             "boot/vmlinuz": linux.kernel("linux-image-cloud-amd64")}
    return linux_machine(make, dict(memory="1G", **arguments), modules=MODULES, memory="dom0_mem=512M dom0_max_vcpus=1", files=files)


class Dom0(Linux):
    """Linux's shell, with the toolstack running."""

    def __init__(self, machine):
        super().__init__(machine)
        # Told from a guest's, on whose console the same shell runs.
        self.prompt = "dom0# "
        machine.send("PS1='dom''0# '\r")
        machine.expect(self.prompt)
        self.run("export PATH=$PATH:/usr/lib/xen-4.17/bin LD_LIBRARY_PATH=/lib; . /start")

    def domains(self):
        """Name to the state that `xl list` shows, without the letters of who runs at this moment."""
        lines = [line.split() for line in self.run("xl list").splitlines() if re.search(r"\d\.\d$", line)]
        return {words[0]: words[4].replace("r", "").replace("b", "").replace("-", "") for words in lines}

    def console(self, expect, command=""):
        """Attach to the guest's console, type a command there, wait for a text, and come back."""
        self.machine.send("xl console guest\r")
        self.machine.expect(r"xl console guest\s*\n")
        self.machine.send(f"{command}\r")
        self.machine.expect(expect, timeout=300)
        self.machine.send("\x1d")
        self.machine.expect(self.prompt)


def test_stock_tools(machine, tmp_path):
    """Made, looked at, paused, its memory changed, saved to a file, restored, renamed, shut down: by programs of Xen's."""
    with stock_machine(machine, tmp_path, cpus=2) as m:
        dom0 = Dom0(m)
        assert "free_memory" in dom0.run("xl info")
        assert "PV Default policy" in dom0.run("xen-cpuid -p")
        dom0.run("xl create /guest.cfg", timeout=300)
        dom0.console("INIT REACHED")
        assert dom0.domains() == {"Domain-0": "", "guest": ""}
        dom0.run("xl pause guest")
        assert dom0.domains()["guest"] == "p"
        dom0.run("xl unpause guest; xl vcpu-pin guest 0 1; xl sched-credit2 -d guest -w 512")
        assert re.search(r"guest +1 +512", dom0.run("xl sched-credit2"))
        assert re.search(r"guest +1 +0 +1 +\S+ +[\d.]+ +1 / all", dom0.run("xl vcpu-list"))
        dom0.console(r"kept 7", "kept=7; echo kept $kept")
        dom0.run("xl save guest /tmp/saved >/dev/null 2>&1", timeout=300)
        assert dom0.domains() == {"Domain-0": ""}
        dom0.run("xl restore /tmp/saved >/dev/null 2>&1", timeout=300)
        dom0.console(r"still 7", "echo still $kept")
        dom0.run("xl mem-set guest 100; xl debug-keys h; xl trigger guest nmi; xl rename guest other")
        dom0.run("xl shutdown -w other", timeout=300)
        # xl, in the background, has then still to destroy it.
        dom0.run("while xl list | grep -q '^other\\|^(null)'; do usleep 100000; done")
        assert dom0.domains() == {"Domain-0": ""}
        m.send("poweroff -f\r")
        m.wait_off()
        # xsm_op is not there on a Xen without security module either, which they know.
        assert set(linux.BAD.findall(m.output())) == {"(CERNE) d0: hypercall 27 is not implemented"}
