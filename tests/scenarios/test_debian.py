# SPDX-License-Identifier: MIT
"""Debian, unmodified, on its own disk: each way to boot, each kind of disk, disks and networks that come and go."""
import hashlib
import http.server
import random
import re
import socket
import subprocess
import threading

import pytest

from debian import DIRECT, GRUB, Debian, check_filesystem, config, debian_machine, drive, root_copy
from machine import BOOT
from xl import Xl

MIB = 1 << 20


def start(dom0, name="debian", said=None):
    """Create it, watching what it says, up to its prompt."""
    dom0.machine.send(f"xl create -q -c {name}\r")
    if said:
        dom0.machine.expect(said, timeout=BOOT)
    dom0.leave()
    return Debian(dom0, "debian")


def work(guest, name, **fio):
    """A file that is to be there afterwards, and a stretch of verified random writes."""
    guest.run(f"echo written by {name} >/srv/{name} && sync")
    guest.fio("/srv/fio", **fio)
    guest.run("rm /srv/fio")


def attach_and_detach(dom0, guest):
    """A second disk comes while the guest runs, is used, and goes."""
    dom0.xl("block-attach debian ram:32M,,xvdb")
    assert [disk["vdev"] for disk in dom0.json("block-list --json debian")] == ["xvda", "xvdb"]
    guest.run("while ! [ -b /dev/xvdb ]; do sleep 0.2; done; mke2fs -q /dev/xvdb && mount /dev/xvdb /mnt && sync")
    guest.fio("/mnt/fio", size="2m")
    guest.run("umount /mnt")
    dom0.xl("block-detach debian xvdb")
    guest.run("while [ -b /dev/xvdb ]; do sleep 0.2; done")
    assert [(disk["vdev"], disk["state"]) for disk in dom0.json("block-list --json debian")] == [("xvda", "connected")]


def tear_away(dom0, guest):
    """A disk goes from under a file system in use: what uses it sees errors, the rest of the guest goes on."""
    dom0.xl("block-attach debian format=raw vdev=xvdb target=ram:32M")
    guest.run("while ! [ -b /dev/xvdb ]; do sleep 0.2; done; mke2fs -q /dev/xvdb && mount /dev/xvdb /mnt")
    dom0.xl("block-detach --force debian xvdb")
    assert [disk["vdev"] for disk in dom0.json("block-list --json debian")] == ["xvda"]
    guest.run("! dd if=/dev/zero of=/mnt/x bs=64k count=1 conv=fsync 2>/dev/null && umount -l /mnt")


def test_disk(machine, tmp_path):
    """From dom0's kernel, then by GRUB whatever its own disk says. What was written is there."""
    image = root_copy(tmp_path)
    configs = {"debian": config(DIRECT, ["disk0,,xvda"], 1), "grub": config(GRUB, ["disk0,,xvda"], memory=384)}
    with debian_machine(machine, tmp_path, configs, memory="1G", qemu=drive(image)) as m:
        dom0 = Xl(m)
        guest = start(dom0)
        assert guest.run("findmnt -n -o SOURCE /").split()[-1] == "/dev/xvda"
        work(guest, "direct")
        attach_and_detach(dom0, guest)
        guest.poweroff()
        guest = start(dom0, "grub", "GRUB|error:")
        assert "linux" in guest.run("cat /proc/version").lower()
        assert guest.run("cat /srv/direct").splitlines()[-1] == "written by direct"
        work(guest, "grub", size="1m")
        tear_away(dom0, guest)
        guest.poweroff()
        dom0.poweroff()
    check_filesystem(image, files={"/srv/direct": b"written by direct\n", "/srv/grub": b"written by grub\n"})


@pytest.mark.long
def test_reboot(machine, tmp_path):
    """Restarted from inside, a domain has its disks again, also the one that came later; destroyed, it leaves nothing."""
    image = root_copy(tmp_path)
    configs = {"debian": config(DIRECT, ["disk0,,xvda"])}
    with debian_machine(machine, tmp_path, configs, memory="1G", qemu=drive(image)) as m:
        dom0 = Xl(m)
        dom0.xl("create -q example")
        dom0.xl("destroy example")
        free = dom0.free_kib()
        guest = start(dom0)
        dom0.xl("block-attach debian ram:32M,,xvdb")
        first = dom0.domains()["debian"]["domid"]
        guest.start("reboot")
        m.expect("wants to reboot: restart", timeout=BOOT)
        dom0.leave()
        dom0.wait_for("restarted", lambda domains: domains.get("debian", {"domid": first})["domid"] != first)
        guest = Debian(dom0, "debian")
        assert [(disk["vdev"], disk["state"]) for disk in dom0.json("block-list --json debian")] == \
            [("xvda", "connected"), ("xvdb", "connected")]
        guest.run("dd if=/dev/xvdb of=/dev/null bs=1M count=32 && sync")
        dom0.xl("destroy debian")
        assert dom0.free_kib() == free
        for top in ("/libxl", "/local/domain/0/backend/vbd", "/local/domain/0/error"):
            assert not [line for line in dom0.run(f"xenstore-list {top}") if line.isdigit()], top
        dom0.poweroff()


class Server:
    """A web server and iperf3 on this host's loopback, which QEMU's user network shows as 10.0.2.2."""

    def __init__(self, folder):
        self.data = random.Random(1).randbytes(8 * MIB)
        (folder / "file").write_bytes(self.data)

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=str(folder))

            def log_message(self, *args):
                pass

        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.web_port = self.web.server_address[1]
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.iperf_port = s.getsockname()[1]
        self.iperf = subprocess.Popen(["iperf3", "-s", "-p", str(self.iperf_port), "-B", "127.0.0.1"], stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.web.shutdown()
        self.iperf.kill()
        self.iperf.wait()


def test_network(machine, tmp_path):
    """An address by DHCP through dom0's bridge, a large file unharmed, iperf3 both ways; an interface that goes and comes."""
    image = root_copy(tmp_path)
    configs = {"debian": config(DIRECT, ["disk0,,xvda"], 1, vif=["mac=00:16:3e:00:00:01"])}
    wire = ("-netdev", "user,id=wire", "-device", "virtio-net-pci,netdev=wire")
    (tmp_path / "www").mkdir()
    with Server(tmp_path / "www") as server, \
            debian_machine(machine, tmp_path, configs, memory="1G", qemu=(*drive(image), *wire)) as m:
        dom0 = Xl(m)
        guest = start(dom0)
        assert re.search(r"inet 10\.0\.2\.\d+/24", guest.run("ip -4 addr show dev eth0"))
        assert "nameserver 10.0.2.3" in guest.run("cat /etc/resolv.conf")
        assert " 0% packet loss" in guest.run("ping -c 3 10.0.2.2")
        said = guest.run(f"wget -q -O - http://10.0.2.2:{server.web_port}/file | sha256sum", timeout=200)
        assert hashlib.sha256(server.data).hexdigest() in said
        for way in ("", "-R"):
            said = guest.run(f"iperf3 -c 10.0.2.2 -p {server.iperf_port} -n 2M {way}", timeout=200)
            assert "iperf Done" in said
        (vif,) = dom0.json("network-list --json debian")
        assert (vif["state"], vif["mac"], vif["bridge"]) == ("connected", "00:16:3e:00:00:01", "xenbr0")
        dom0.xl("network-detach debian 00:16:3e:00:00:01")
        guest.run("while [ -d /sys/class/net/eth0 ]; do sleep 0.2; done")
        dom0.xl("network-attach debian bridge=xenbr0 rate=10MB/s")
        (vif,) = dom0.json("network-list --json debian")
        guest.run("while ! [ -d /sys/class/net/eth0 ]; do sleep 0.2; done")
        assert vif["mac"] in guest.run("cat /sys/class/net/eth0/address")
        guest.run("ifdown --force eth0; ifup eth0", timeout=100, ok=False)
        assert " 0% packet loss" in guest.run("ping -c 1 10.0.2.2")
        guest.poweroff()
        dom0.poweroff()
    check_filesystem(image)
