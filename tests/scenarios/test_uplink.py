# SPDX-License-Identifier: MIT
"""A guest beyond the machine: through the bridge and a network card to QEMU's user network, which has DHCP, DNS, and the host."""
import functools
import hashlib
import http.server
import random
import socket
import threading
import urllib.request

import pytest

from test_vif import network_machine, start
from test_xl_linux import check_log
from xl import Xl

HOST = "10.0.2.2"
SIZE = 8 << 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A web server on the host with a folder, for as long as the block lasts."""

    def __init__(self, folder):
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
        handler.log_message = lambda *_: None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *what):
        self.server.shutdown()
        self.server.server_close()


def configure(guest):
    """An address by DHCP; the script does what udhcpc's own would."""
    guest.run("printf '#!/bin/sh\\n[ $1 = bound ] && ifconfig eth0 $ip netmask $subnet && route add default gw $router"
              " && echo nameserver $dns >/etc/resolv.conf\\nexit 0\\n' >/dhcp; chmod +x /dhcp; mkdir -p /etc")
    guest.run("ifconfig eth0 up; udhcpc -q -n -t 20 -s /dhcp", timeout=90)
    assert "inet addr:10.0.2.15" in guest.run("ifconfig eth0")


@pytest.mark.parametrize("model", [pytest.param("virtio-net-pci", marks=pytest.mark.long), "e1000e"])
def test_uplink(machine, tmp_path, model):
    """DHCP; large files both ways, unharmed; a web server in the guest, reached by a forwarded port."""
    data = random.Random(1).randbytes(SIZE)
    (tmp_path / "www").mkdir()
    (tmp_path / "www/file").write_bytes(data)
    digest = hashlib.md5(data).hexdigest()
    forwarded = free_port()
    card = ["-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{forwarded}-:80", "-device", f"{model},netdev=net"]
    with Server(tmp_path / "www") as server, network_machine(machine, str(tmp_path), ["one"], cpus=2, memory="1G", qemu=card) as m:
        dom0 = Xl(m)
        guest = start(dom0, "one")
        configure(guest)
        guest.run(f"ping -c 2 {HOST}", timeout=60)
        got = guest.run(f"wget -q -O /file http://{HOST}:{server.port}/file; md5sum /file", timeout=180)
        assert digest in got
        guest.run("mkdir /www; mv /file /www; httpd -h /www")
        with urllib.request.urlopen(f"http://127.0.0.1:{forwarded}/file", timeout=180) as answer:
            assert hashlib.md5(answer.read()).hexdigest() == digest
        check_log(guest)
        print("\n".join(dom0.run("bridges")))
        dom0.run("xl destroy one")
        m.send("poweroff\r")
        m.wait_off()
