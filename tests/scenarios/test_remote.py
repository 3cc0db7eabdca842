# SPDX-License-Identifier: MIT
"""dom0's own address, and its shell over the network for who has the key."""
import os
import re
import secrets
import socket
import subprocess
import time

import machine as machine_module
from shell import PROMPT
from test_vif import WEB_CFG, free_port
from xl import Xl, xl_machine

KEY = secrets.token_hex(32)


class Remote:
    """openssl's client, as a person uses it."""

    def __init__(self, port, key=KEY, identity="cerne"):
        self.child = subprocess.Popen(
            ["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}", "-psk_identity", identity, "-psk", key],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def until_prompt(self, seconds=60):
        """What it printed before the next prompt."""
        os.set_blocking(self.child.stdout.fileno(), False)
        text, end = b"", time.monotonic() + seconds
        while not text.endswith(PROMPT.encode()):
            assert time.monotonic() < end and self.child.poll() is None, text
            text += self.child.stdout.read() or b""
            time.sleep(0.02)
        return text.decode()[:-len(PROMPT)].replace("\r", "")

    def run(self, command, seconds=60):
        self.child.stdin.write(command.encode() + b"\n")
        self.child.stdin.flush()
        return [line.rstrip() for line in self.until_prompt(seconds).split("\n") if line.strip()]

    def ends(self, seconds=30):
        """It is let go."""
        self.child.wait(seconds)
        return self.child.returncode

    def close(self):
        self.child.kill()
        self.child.wait()


def visit(port, seconds=60):
    """A visitor who is let in: while others have all the places he is not, and tries again."""
    end = time.monotonic() + seconds
    while True:
        remote = Remote(port)
        try:
            remote.until_prompt()
            return remote
        except AssertionError:
            remote.close()
            assert time.monotonic() < end, "there never is a place"
            time.sleep(0.5)


def test_remote(machine, tmp_path):
    port, web = free_port(), free_port()
    wire = ["-netdev", f"user,id=wire,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.9:2222,"
                       f"hostfwd=tcp:127.0.0.1:{web}-10.0.2.15:80", "-device", "virtio-net-pci,netdev=wire"]
    with xl_machine(machine, tmp_path, {"web": WEB_CFG}, {"boot/web": os.path.join(machine_module.BUILD, "web")},
                    qemu=wire) as m:
        dom0 = Xl(m)
        # An address: none, refused, set.
        assert "dom0 has no address" in dom0.run("ip")[0]
        assert "dom0 has no address" in dom0.run("ping 10.0.2.2")[0]
        assert "is none of: dhcp" in dom0.run("ip 10.0.2.9")[0]
        assert "dom0 has no address yet" in dom0.run(f"remote on {KEY}")[0]
        assert "address   10.0.2.9/24, static" in dom0.run("ip 10.0.2.9/24 gw=10.0.2.2 dns=10.0.2.3")
        assert dom0.run("ping -c 1 10.0.2.2")[-1] == "1 sent, 1 answered"
        assert dom0.run("ping -c 1 10.0.2.77")[-1] == "1 sent, 0 answered"
        dom0.xl("create -q web")
        dom0.attach("web", r"web: http://10\.0\.2\.15/\r*\n", timeout=120)
        dom0.leave()
        assert dom0.run("ping -c 2 10.0.2.15")[-1] == "2 sent, 2 answered"
        # Off, and switched on.
        assert dom0.run("remote")[0] == "off"
        for bad in ("on", "on abcd", f"on {KEY[:-1]}", f"on {KEY} 0", f"on {'x' * 64}"):
            assert re.search(r"usage|a key is|a port is", dom0.run(f"remote {bad}")[0])
        assert dom0.run(f"remote on {KEY}") == []
        # What it shows is what the console shows.
        remote = Remote(port)
        remote.until_prompt()
        for command in ("xl list -l", "xl vm-list --json", "xl network-list --json web", "help", "xl list --json --nosuch", "ls -l /etc/xl", "nosuch"):
            ours, theirs = dom0.run(command), remote.run(command)
            # stderr and the console's watcher are on the console too.
            assert theirs == ours, command
        assert "dom0's console only" in remote.run("xl console web")[0]
        assert "only the console" in remote.run("remote off")[0]
        # A command of the visitor's that waits keeps nobody waiting.
        remote.child.stdin.write(b"sleep 5\n")
        remote.child.stdin.flush()
        started = time.monotonic()
        assert dom0.run("echo here") == ["here"]
        assert time.monotonic() - started < 4
        remote.until_prompt()
        # Strangers: a wrong key, a wrong name, rubbish, silence; a line without an end. The visitor stays.
        for key, identity in ((secrets.token_hex(32), "cerne"), (KEY, "nobody")):
            stranger = Remote(port, key, identity)
            assert stranger.ends() != 0
            assert b"cerne#" not in stranger.child.stdout.read()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as rubbish:
            rubbish.sendall(os.urandom(20000))
            try:
                while rubbish.recv(1000):
                    pass
            except ConnectionResetError:
                pass
        silent = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(12)]
        assert "longer than" in remote.run("x" * 3000)[0]
        assert remote.run("echo still here") == ["still here"]
        for one in silent:
            one.settimeout(60)
            try:
                assert one.recv(100) == b""
            except ConnectionResetError:
                pass
            one.close()
        # A record that is larger than any of ours ends the connection that it came on.
        other = visit(port)
        other.child.stdin.write(b"x" * 16000 + b"\n")
        other.child.stdin.flush()
        other.ends()
        other = visit(port)
        assert other.run("echo two") == ["two"]
        counted = dom0.run("remote")
        assert re.fullmatch(r"on, port 2222, [234] of 4 connections in use", counted[0])
        assert int(re.search(r"(\d+) failed", counted[1]).group(1)) >= 3
        remote.child.stdin.write(b"exit\n")
        remote.child.stdin.flush()
        assert remote.ends() == 0
        # Two lines at once: when the first has been answered the second one runs.
        other.child.stdin.write(b"echo started\nsleep 12\n")
        other.child.stdin.flush()
        assert "started" in other.until_prompt()
        # His command is waited for, in turns: the console stays usable.
        assert "still runs" in dom0.run("remote off")[0]
        assert "still runs" in dom0.run(f"remote on {KEY}")[0]
        while dom0.run("remote off"):
            pass
        other.ends()
        assert dom0.run("remote")[0] == "off"
        dom0.xl("destroy web")
        assert dom0.run("ip off") == []
        assert "address   0.0.0.0/0, off" in dom0.run("ip")
        m.send("poweroff\r")
        m.wait_off()
