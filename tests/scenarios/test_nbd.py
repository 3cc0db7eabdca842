# SPDX-License-Identifier: MIT
"""Guests' disks on a network block device server: QEMU's, on the host."""
import json
import socket
import subprocess
import time

import machine as machine_module
from test_block import Guest, disks
from test_uplink import HOST, free_port
from xl import Xl, xl_machine

SIZE = 1 << 20


class Server:
    """qemu-nbd with one export, `disk`."""

    def __init__(self, path):
        self.path, self.port = path, free_port()

    def start(self):
        self.process = subprocess.Popen(["qemu-nbd", "-f", "raw", "-t", "-x", "disk", "-b", "127.0.0.1", "-p", str(self.port), self.path])

    def kill(self):
        self.process.kill()
        self.process.wait()


def wait_for_state(dom0, state):
    end = time.monotonic() + machine_module.PATIENCE
    while state not in "\n".join(dom0.run("nbd")):
        assert time.monotonic() < end, f"the disk is not {state}"


def test_nbd(machine, tmp_path):
    """A disk elsewhere; its server is killed and comes back, and the guest only waits; without it the guest has no disk."""
    image = tmp_path / "image"
    image.write_bytes(bytes(SIZE))
    server = Server(str(image))
    config = f'name = "d"\nkernel = "/boot/example"\nmemory = 16\ndisk = ["nbd://{HOST}:{server.port}/disk,raw,xvda,rw"]\n'
    wrong = config.replace("/disk,", "/other,").replace('"d"', '"w"')
    card = ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net"]
    server.start()
    try:
        with xl_machine(machine, tmp_path, {"d": config, "w": wrong}, qemu=card) as m:
            dom0 = Xl(m)
            refused = dom0.run("xl create -q d")
            assert "dom0 has no address; see the command ip" in "\n".join(refused), refused
            dom0.run("ip dhcp")
            refused = dom0.run("xl create -q w")
            assert "the server has no export of that name" in "\n".join(refused), refused
            dom0.xl("create -q d")
            guest = Guest(dom0, "d")
            guest.run("disk list", f"disk 51712: {SIZE // 512} sectors")
            guest.run("disk write 51712 8 16 90", "disk 51712: written, status 0")
            server.kill()
            # What is asked meanwhile has its answer when there is a server again.
            m.send("xl console d\rdisk write 51712 24 8 66\r")
            m.expect("disk write 51712 24 8 66")
            dom0.leave()
            wait_for_state(dom0, "waiting")
            server.start()
            wait_for_state(dom0, "connected")
            m.send("xl console d\r")
            m.expect("disk 51712: written, status 0")
            dom0.leave()
            listed = "\n".join(dom0.run("nbd"))
            assert f"nbd://{HOST}:{server.port}/disk" in listed, listed
            (disk,) = json.loads("\n".join(dom0.run("nbd --json")))
            assert (disk["target"], disk["sectors"]) == (f"nbd://{HOST}:{server.port}/disk", SIZE // 512)
            assert (disk["state"], disk["trouble"], disk["connections"]) == ("connected", None, 2)
            wanted = bytearray(SIZE)
            wanted[8 * 512:24 * 512] = b"Z" * (16 * 512)
            wanted[24 * 512:32 * 512] = b"B" * (8 * 512)
            assert image.read_bytes() == wanted
            dom0.xl("destroy d")
            dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
            assert len(dom0.run("nbd")) == 1
            dom0.poweroff()
    finally:
        server.kill()


def restarted_meanwhile(dom0, m, silent):
    """A disk whose server says nothing is attached to one guest, while the other begins anew with a disk of its own: whether
    that had it by the time that the first was given up."""
    before = int(dom0.xl("domid b")[0])
    m.send("xl console b\r")
    m.expect("example>")
    m.send("spin 2\rreboot\r")
    dom0.leave()
    told = "\n".join(dom0.run(f"xl block-attach a nbd://{HOST}:{silent}/x,raw,xvda,rw"))
    assert "the server does not answer" in told, told
    states = {domid: disk["state"] for (domid, _), disk in disks(dom0).items()}
    after = dom0.wait_for("anew", lambda domains: domains.get("b", {"domid": before})["domid"] != before)["b"]["domid"]
    # The example guest connects when it first uses it.
    return states.get(after) in ("waiting", "connected")


def test_silent_server(machine, tmp_path):
    """A server that takes the connection and never says a word: no disk, and why, and nobody else waits for that."""
    config = 'name = "{}"\nkernel = "/boot/example"\nmemory = 16\n{}'
    configs = {"a": config.format("a", ""), "b": config.format("b", 'disk = ["ram:1M,raw,xvda,rw"]\n')}
    card = ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net"]
    with socket.create_server(("127.0.0.1", 0)) as silent, \
            xl_machine(machine, tmp_path, configs, qemu=card, cpus=2) as m:
        dom0 = Xl(m)
        dom0.run("ip dhcp")
        for name in "ab":
            dom0.xl(f"create -q {name}")
        # The server has 8 s; on a busy host a guest may need more than what is left of them.
        assert any(restarted_meanwhile(dom0, m, silent.getsockname()[1]) for _ in range(3))
        assert len(dom0.run("nbd")) == 1
        for name in "ab":
            dom0.xl(f"destroy {name}")
        dom0.wait_for("gone", lambda domains: list(domains) == ["Domain-0"])
        dom0.poweroff()
