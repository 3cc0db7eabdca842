# SPDX-License-Identifier: MIT
"""Guests' network interfaces: Debian's Linux, unmodified, on dom0's bridge."""
import contextlib
import os
import random
import re
import select
import socket
import threading
import urllib.error
import urllib.request

import pytest

import linux
import machine as machine_module
from net import Wire
from test_xl_linux import Guest, check_log
from xl import Xl, xl_machine

NETFRONT = ["xen_netfront"]


def network_machine(make, folder, names, files=None, **arguments):
    """A machine with a Linux configuration for each name, each with an interface on xenbr0."""
    initrd = os.path.join(folder, "initrd")
    linux.make_initrd(initrd, NETFRONT)
    configs = {name: f'name = "{name}"\nkernel = "/boot/vmlinuz"\nramdisk = "/boot/initrd"\nextra = "console=hvc0"\n'
                     f'memory = 192\nvif = ["mac=00:16:3e:00:00:{n:02x}"]\n' for n, name in enumerate(names, 1)}
    files = {"boot/vmlinuz": linux.kernel("linux-image-amd64"), "boot/initrd": initrd, **(files or {})}
    return xl_machine(make, folder, configs, files, cmdline="dom0_mem=96M", **arguments)


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


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


WEB_CFG = 'name = "web"\nkernel = "/boot/web"\nmemory = 8\nvif = [""]\n'


def test_web_server(machine, tmp_path):
    """The web server in a domain: an address by DHCP, its page read by the host through a forwarded port."""
    port = free_port()
    wire = ["-netdev", f"user,id=wire,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:80",
            "-device", "virtio-net-pci,netdev=wire"] + (["-object", f"filter-dump,id=dump,netdev=wire,file={os.environ['DUMP']}"] if "DUMP" in os.environ else [])
    with xl_machine(machine, tmp_path, {"web": WEB_CFG}, {"boot/web": os.path.join(machine_module.BUILD, "web")},
                    qemu=wire) as m:
        dom0 = Xl(m)
        dom0.xl("create -q web")
        dom0.attach("web", r"web: http://10\.0\.2\.15/\r*\n", timeout=120)
        dom0.leave()
        url = f"http://127.0.0.1:{port}/"
        page = urllib.request.urlopen(url, timeout=60).read().decode()
        assert "Hello from a guest on Cerne" in page and "<td>10.0.2.15" in page
        visits = [int(re.search(r"Visits<td>(\d+)", urllib.request.urlopen(url, timeout=60).read().decode()).group(1))
                  for _ in range(20)]
        assert visits == list(range(2, 22))
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(url + "other", timeout=60)
        # Visitors who say nothing, or too much, do not keep others out for long.
        quiet = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(6)]
        quiet[0].sendall(b"x" * 100000)
        assert "Hello" in urllib.request.urlopen(url, timeout=60).read().decode()
        for one in quiet:
            one.close()
        dom0.xl("shutdown -w web")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        m.send("poweroff\r")
        m.wait_off()


def web_config(number):
    return (f'name = "web{number}"\nkernel = "/boot/web"\nmemory = 8\nextra = "ip=10.0.0.{number + 100}"\n'
            f'vif = ["mac=00:16:3e:00:01:{number:02x},ip=10.0.0.{number + 100}"]\n')


@pytest.mark.long
def test_many_guests(machine, tmp_path):
    """24 guests on one bridge: everybody is reached by everybody's visitor, and what one sends reaches nobody else."""
    count = 24
    initrd = os.path.join(tmp_path, "initrd")
    linux.make_initrd(initrd, NETFRONT)
    configs = {f"web{n}": web_config(n) for n in range(1, count + 1)}
    configs["visitor"] = ('name = "visitor"\nkernel = "/boot/vmlinuz"\nramdisk = "/boot/initrd"\nextra = "console=hvc0"\n'
                          'memory = 192\nvif = ["mac=00:16:3e:00:02:01"]\n')
    files = {"boot/web": os.path.join(machine_module.BUILD, "web"), "boot/vmlinuz": linux.kernel("linux-image-amd64"),
             "boot/initrd": initrd}
    with xl_machine(machine, tmp_path, configs, files, cmdline="dom0_mem=128M", cpus=2, memory="1G") as m:
        dom0 = Xl(m)
        for n in range(1, count + 1):
            dom0.xl(f"create -q web{n}")
        visitor = start(dom0, "visitor")
        visitor.run("ifconfig eth0 10.0.0.1 netmask 255.255.255.0 up")
        for n in range(1, count + 1):
            visitor.run(f"i=0; until wget -q -O /page http://10.0.0.{n + 100}/ || [ $i = 20 ]; do i=$((i+1)); done; "
                        f"grep -q 10.0.0.{n + 100} /page", timeout=120)
        visitor.run("for i in 1 2 3 4 5; do for n in $(seq 101 124); do wget -q -O /dev/null http://10.0.0.$n/ & done; wait; done",
                    timeout=300)
        own = f"vif{dom0.domains()['visitor']['domid']}.0"
        lines = dom0.run("vifs")
        rows = {line.split()[0]: line.split() for line in lines if line.startswith("vif")}
        assert len(rows) == count + 1 and all(row[1] == "up" for row in rows.values()), lines
        # A neighbour hears broadcasts, at most as many as there are askers, and its own visitors.
        heard = [int(row[3]) for name, row in rows.items() if name != own]
        assert max(heard) < 6 * 12 + 4 * count, lines
        check_log(visitor)
        for n in range(1, count + 1):
            dom0.xl(f"destroy web{n}")
        dom0.xl("destroy visitor")
        assert len(dom0.run("vifs")) == 1
        m.send("poweroff\r")
        m.wait_off()


class Lossy(threading.Thread):
    """A cable between two wires that loses, doubles and keeps back a share of the packets each; the last until after the next one."""

    def __init__(self, one, other, share):
        super().__init__(daemon=True)
        self.ends, self.share, self.ended = (one, other), share, False
        self.count = dict.fromkeys(("whole", "lost", "doubled", "late"), 0)
        self.random = random.Random(7)

    def run(self):
        late = {end: [] for end in self.ends}
        while not self.ended:
            for wire in select.select([end.socket for end in self.ends], [], [], 0.2)[0]:
                data = wire.recv(65536)
                (what,) = self.random.choices(list(self.count), (1 - 3 * self.share, *[self.share] * 3))
                self.count[what] += 1
                end = self.ends[1] if wire is self.ends[0].socket else self.ends[0]
                if what == "late":
                    late[end].append(data)
                    continue
                for packet in [data] * ("lost", "whole", "doubled").index(what) + late[end]:
                    with contextlib.suppress(OSError):
                        end.socket.sendto(packet, end.theirs)
                late[end] = []


@pytest.mark.long
def test_lossy(machine, tmp_path):
    """A file of 8 MiB over a cable that loses two packets of a hundred, doubles two and delays two, each way, is whole."""
    bridges = tmp_path / "bridges"
    bridges.write_text("xenbr0 uplink=net0\nxenbr1 uplink=net1\n")
    initrd = os.path.join(tmp_path, "initrd")
    linux.make_initrd(initrd, NETFRONT)
    configs = {name: f'name = "{name}"\nkernel = "/boot/vmlinuz"\nramdisk = "/boot/initrd"\nextra = "console=hvc0"\n'
                     f'memory = 192\nvif = ["mac=00:16:3e:00:00:{n + 1:02x},bridge=xenbr{n}"]\n'
               for n, name in enumerate(("one", "two"))}
    files = {"boot/vmlinuz": linux.kernel("linux-image-amd64"), "boot/initrd": initrd, "etc/xl/bridges": str(bridges)}
    with Wire("net0") as east, Wire("net1") as west:
        cards = east.qemu(mac="52:54:00:00:00:01") + west.qemu(mac="52:54:00:00:00:02")
        with xl_machine(machine, tmp_path, configs, files, cmdline="dom0_mem=96M", cpus=2, memory="1G", qemu=cards) as m:
            cable = Lossy(east, west, 0.02)
            cable.start()
            dom0 = Xl(m)
            one, two = start(dom0, "one"), start(dom0, "two")
            for n, guest in enumerate((one, two), 1):
                guest.run(f"ifconfig eth0 10.0.0.{n} netmask 255.255.255.0 up")
            two.run("mkdir -p /www; dd if=/dev/urandom of=/www/file bs=1M count=8; httpd -h /www")
            want = two.run("md5sum </www/file").split()[-2]
            assert want in one.run("wget -q -O - http://10.0.0.2/file | md5sum", timeout=300)
            assert min(cable.count.values()) > 20, cable.count
            cable.ended = True
            cable.join()
            check_log(one)
            check_log(two)
            m.send("poweroff\r")
            m.wait_off()
