# SPDX-License-Identifier: MIT
"""Debian's Linux, unmodified, as a domain that xl makes: one that dom0's own drivers and tools serve."""
import os
import re

import pytest

import linux
from machine import BOOT
from shell import PROMPT
from xl import Xl, xl_machine

CLOUD, GENERIC = "linux-image-cloud-amd64", "linux-image-amd64"


class Guest(linux.Linux):
    """A session with a Linux in a domain, through xl console; between runs the terminal is dom0's."""

    def __init__(self, dom0, name, seconds=BOOT):
        self.dom0, self.name = dom0, name
        self.open()
        super().__init__(dom0.machine, seconds)
        dom0.leave()

    def open(self):
        self.dom0.machine.send(f"xl console {self.name}\r")
        self.dom0.machine.expect(rf"xl console {self.name}\s*\n")

    def run(self, command, **arguments):
        self.open()
        result = super().run(command, **arguments)
        self.dom0.leave()
        return result

    def start(self, command):
        """Type a command that does not come back."""
        self.open()
        self.machine.send(f"{command}\r")


def debian_machine(make, folder, kernel, settings="", cmdline="dom0_mem=96M", **arguments):
    """A machine with /etc/xl/debian.cfg: that kernel, busybox, 256 MiB."""
    initrd = os.path.join(folder, "initrd")
    linux.make_initrd(initrd)
    config = ('name = "debian"\nkernel = "/boot/vmlinuz"\nramdisk = "/boot/initrd"\nextra = "console=hvc0"\n'
              f"memory = 256\n{settings}\n")
    return xl_machine(make, folder, {"debian": config}, {"boot/vmlinuz": linux.kernel(kernel), "boot/initrd": initrd},
                      cmdline=cmdline, **arguments)


def check_log(guest):
    """The kernel has not complained."""
    found = linux.BAD.findall(guest.run("dmesg"))
    assert not found, "\n".join(found)


def test_debian(machine, tmp_path):
    """What a person does on the first evening: create, look in, two more; pause, end, shut down, reboot, crash."""
    with debian_machine(machine, tmp_path, CLOUD, cpus=2, memory="1G") as m:
        dom0 = Xl(m)
        dom0.xl("create -q example")
        dom0.xl("destroy example")
        free = dom0.free_kib()
        m.send("xl create -c debian\r")
        # Unpacking takes long enough to be shown on the way, and nothing of that stays.
        m.expect(r"Domain \d+: unpacking the kernel, \d+ %\r\x1b\[K")
        m.expect("Linux version 6.1")
        dom0.leave()
        dom0.xl("create example name=second")
        dom0.xl("create example name=third")
        assert list(dom0.domains()) == ["Domain-0", "debian", "second", "third"]
        guest = Guest(dom0, "debian")
        assert "cloud-amd64" in guest.run("uname -r")
        assert "Booting kernel on Xen" in guest.run("dmesg")
        # Linux's own client of the store, the kernel's and a program's.
        assert guest.run("cat /sys/hypervisor/uuid").strip() == dom0.domains()["debian"]["uuid"]
        check_log(guest)
        dom0.xl("pause second")
        assert dom0.domains()["second"]["paused"]
        dom0.xl("destroy second")
        dom0.attach("third", r"store: this is domain \d+\r")
        m.send("poweroff\r")
        m.expect(r"xl: third \(domain \d+\) has shut down: destroy\r")
        m.expect(re.escape(PROMPT))
        dom0.wait_for("gone", lambda all_: list(all_) == ["Domain-0", "debian"])
        # Rebooted by xl: a new domain of the same name comes up.
        first = dom0.domains()["debian"]["domid"]
        dom0.xl("reboot debian")
        dom0.wait_for("restarted", lambda all_: "debian" in all_ and all_["debian"]["domid"] != first)
        guest = Guest(dom0, "debian")
        # Crashed from inside, kept by what config-update has said meanwhile.
        dom0.xl("config-update debian on_crash=preserve")
        guest.start("echo c >/proc/sysrq-trigger")
        m.expect(r"xl: debian \(domain \d+\) has crashed: preserve\r")
        dom0.leave()
        assert dom0.domains()["debian"]["state"] == "---sc-"
        dom0.xl("destroy debian")
        # And shut down by xl.
        dom0.xl("create debian memory=128 on_poweroff=destroy")
        guest = Guest(dom0, "debian")
        said = dom0.xl("shutdown -w -w debian")
        assert any("has been destroyed" in line for line in said), said
        assert list(dom0.domains()) == ["Domain-0"]
        assert dom0.free_kib() == free
        dom0.poweroff()


@pytest.mark.parametrize("kernel", [pytest.param(GENERIC, marks=pytest.mark.long), CLOUD])
def test_smp(machine, tmp_path, kernel):
    """Two vCPUs on two CPUs; one is taken away and given back; memory is taken by the balloon."""
    with debian_machine(machine, tmp_path, kernel, "vcpus = 2", cpus=2, memory="768M") as m:
        dom0 = Xl(m)
        dom0.xl("create debian")
        guest = Guest(dom0, "debian")
        assert guest.run("nproc").strip() == "2"
        guest.run("for i in 1 2; do (while :; do :; done) & done; sleep 2; kill $(jobs -p)")
        times = [v["cpu_seconds"] for v in dom0.json("vcpu-list --json debian")]
        assert len(times) == 2 and min(times) > 0.5, times
        dom0.xl("vcpu-pin debian 1 0")
        assert [v["hard_affinity"] for v in dom0.json("vcpu-list --json debian")] == [[0, 1], [0]]
        dom0.xl("vcpu-set debian 1")
        guest.run("while [ $(nproc) != 1 ]; do sleep 1; done")
        dom0.xl("vcpu-set debian 2")
        guest.run("while ! echo 1 >/sys/devices/system/cpu/cpu1/online; do sleep 1; done; nproc")
        dom0.xl("mem-set debian 200m")
        dom0.wait_for("smaller", lambda all_: all_["debian"]["memory_kib"] <= 200 << 10)
        dom0.xl("mem-set debian 256m")
        dom0.wait_for("bigger", lambda all_: all_["debian"]["memory_kib"] > 250 << 10)
        check_log(guest)
        dom0.xl("destroy debian")
        dom0.poweroff()
