# SPDX-License-Identifier: MIT
"""Guests' disks on a network block device server: QEMU's, on the host."""
import json
import subprocess
import time

import machine as machine_module
from test_block import Guest
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
