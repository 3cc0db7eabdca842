# SPDX-License-Identifier: MIT
"""Two Debian systems, unmodified, each on its own disk, and what they do with each other over dom0's bridge."""
import glob
import hashlib
import os
import re
import urllib.request

import pytest

import linux
import machine as machine_module
from debian import DIRECT, Debian, check_filesystem, config, debian_machine, drive, root_copy
from test_debian import Server
from test_vif import free_port
from xl import Xl

SERVERS = os.path.join(machine_module.TOP, "tests/scenarios/debian_servers.pl")
NETEM = os.path.join(linux.DEBIAN, "linux-image-cloud-amd64/lib/modules/*/kernel/net/sched/sch_netem.ko")
NAME = "web.cerne.test"


class Peer(Debian):
    """One of the two; its files come from the host, and it serves them."""

    def __init__(self, dom0, name):
        super().__init__(dom0, name)
        self.address = re.search(r"inet (10\.0\.2\.\d+)/24", self.run("ip -4 addr show dev eth0")).group(1)

    def begin(self, port):
        for name in ("file", "servers.pl", "netem.ko"):
            self.run(f"wget -q -O /srv/{name} http://10.0.2.2:{port}/{name}", timeout=200)
        self.run(f"(perl /srv/servers.pl {self.address} /srv/file >/srv/log 2>&1 &); until grep ready /srv/log; do sleep 0.1; done")

    def fetch(self, host, timeout=200):
        """The digest of the file that it gets from somebody."""
        return re.search(r"\b[0-9a-f]{64}\b", self.run(f"wget -q -O - http://{host}/file | sha256sum", timeout=timeout)).group()


@pytest.mark.long
def test_two_debians(machine, tmp_path):
    """Names by DNS, files and iperf3 both ways between them, a web server that the host reaches; all of it over links that lose,
    double and reorder packets."""
    images = [root_copy(tmp_path, f"{name}.img") for name in ("one", "two")]
    configs = {name: config(DIRECT, [f"disk{n},,xvda"], vif=[f"mac=00:16:3e:00:00:0{n + 1}"]).replace('"debian"', f'"{name}"')
               for n, name in enumerate(("one", "two"))}
    (tmp_path / "www").mkdir()
    with Server(tmp_path / "www") as server:
        os.symlink(SERVERS, tmp_path / "www/servers.pl")
        os.symlink(*glob.glob(NETEM), tmp_path / "www/netem.ko")
        digest = hashlib.sha256(server.data).hexdigest()
        qemu = (*drive(*images),
                "-netdev", "user,id=wire", "-device", "virtio-net-pci,netdev=wire")
        with debian_machine(machine, tmp_path, configs, cpus=2, memory="1G", qemu=qemu) as m:
            dom0 = Xl(m)
            for name in configs:
                dom0.xl(f"create -q {name}")
            one, two = (Peer(dom0, name) for name in configs)
            for guest in (one, two):
                guest.begin(server.web_port)
            # Debian's resolver and dom0's, with the other guest as the server of names.
            one.run(f"echo nameserver {two.address} >/etc/resolv.conf")
            assert two.address in one.run(f"getent ahostsv4 {NAME}")
            one.run("! getent hosts nosuch.cerne.test")
            dom0.run(f"ip 10.0.2.9/24 gw=10.0.2.2 dns={two.address}")
            assert dom0.run(f"nslookup {NAME}") == [f"{NAME} is {two.address}"]
            assert "nosuch.cerne.test is" not in "".join(dom0.run("nslookup nosuch.cerne.test"))
            assert one.fetch(NAME) == two.fetch(one.address) == digest
            two.run("iperf3 -s -D")
            for way in ("", "-R"):
                said = one.run(f"iperf3 -c {NAME} -n 64M {way}", timeout=200)
                print(said[-500:])
                # The receiver counts until the sender has sent all, and a window is under way then.
                assert "iperf Done" in said and float(re.search(r"([\d.]+) MBytes .*receiver", said).group(1)) > 56
            # From the host, through a port that leads to the guest.
            port = free_port()
            assert m.monitor(f"hostfwd_add wire tcp:127.0.0.1:{port}-{two.address}:80") == ""
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/file", timeout=200) as answer:
                assert hashlib.sha256(answer.read()).hexdigest() == digest
            # Links of the worst kind, each way.
            for guest in (one, two):
                guest.run("insmod /srv/netem.ko && "
                          "tc qdisc add dev eth0 root netem delay 2ms 1ms loss 3% duplicate 2% reorder 10%")
            assert one.fetch(NAME, 400) == two.fetch(one.address, 400) == digest
            for guest in (one, two):
                assert int(re.search(r"dropped (\d+)", guest.run("tc -s qdisc show dev eth0")).group(1)) > 20
                guest.check_log()
            one.poweroff()
            two.poweroff()
            dom0.poweroff()
    for image in images:
        check_filesystem(image)
