# SPDX-License-Identifier: MIT
"""Guests' network interfaces: Debian's Linux, unmodified, on dom0's bridge."""
import os

import linux
from test_xl_linux import Guest, check_log
from xl import Xl, xl_machine

NETFRONT = ["xen_netfront"]


def network_machine(make, folder, names, **arguments):
    """A machine with a Linux configuration for each name, each with an interface on xenbr0."""
    initrd = os.path.join(folder, "initrd")
    linux.make_initrd(initrd, NETFRONT)
    configs = {name: f'name = "{name}"\nkernel = "/boot/vmlinuz"\nramdisk = "/boot/initrd"\nextra = "console=hvc0"\n'
                     f'memory = 192\nvif = ["mac=00:16:3e:00:00:{n:02x}"]\n' for n, name in enumerate(names, 1)}
    return xl_machine(make, folder, configs, {"boot/vmlinuz": linux.kernel("linux-image-amd64"), "boot/initrd": initrd},
                      cmdline="dom0_mem=96M", **arguments)


def start(dom0, name):
    dom0.xl(f"create -q {name}")
    return Guest(dom0, name)


def test_two_guests(machine, tmp_path):
    """Two Linux guests: ping, a file through TCP both ways, all of it unharmed; then one goes."""
    with network_machine(machine, tmp_path, ["one", "two"], cpus=2, memory="1G") as m:
        dom0 = Xl(m)
        one, two = start(dom0, "one"), start(dom0, "two")
        for n, guest in enumerate((one, two), 1):
            guest.run(f"ifconfig eth0 10.0.0.{n} netmask 255.255.255.0 up")
        assert "0% packet loss" in one.run("ping -c 3 10.0.0.2", timeout=60)
        assert "0% packet loss" in two.run("ping -c 3 -s 8000 10.0.0.1", timeout=60)
        two.run("mkdir -p /www; dd if=/dev/urandom of=/www/file bs=1M count=16; httpd -h /www")
        want = two.run("md5sum </www/file").split()[-2]
        got = one.run("wget -q -O - http://10.0.0.2/file | md5sum", timeout=120)
        assert want in got
        for line in dom0.run("vifs"):
            print(line)
        check_log(one)
        check_log(two)
        dom0.xl("destroy two")
        assert "100% packet loss" in one.run("ping -c 2 -W 1 10.0.0.2", timeout=60, ok=False)
        rows = [line.split() for line in dom0.run("vifs")]
        assert [row[1] for row in rows if row[0].startswith("vif")] == ["up"]
        dom0.run("xl destroy one")
        m.send("poweroff\r")
        m.wait_off()
