# SPDX-License-Identifier: MIT
"""dom0's own address, and its shell over the network for who has the key."""
import contextlib
import os
import random
import re
import secrets
import socket
import struct
import subprocess
import threading
import time

import pytest

import machine as machine_module
from net import Wire, checksum, ethernet, mac
from shell import PROMPT
from test_vif import WEB_CFG, check_log, free_port, network_machine, start
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


class Stranger(threading.Thread):
    """The other end of a cable: has all addresses from 10.0.2.128, and takes whatever comes."""

    MAC = "02:00:00:00:0e:01"

    def __init__(self, wire):
        super().__init__(daemon=True)
        self.wire = wire

    def send(self, to, packet):
        self.wire.send(ethernet(to, self.MAC, 0x0800, packet))

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                packet = self.wire.receive(60)
                if packet and packet[12:14] == b"\x08\x06" and packet[20:22] == b"\0\1" \
                        and packet[38:41] == b"\x0a\0\2" and packet[41] >= 128:
                    # Who is that? It is me.
                    self.wire.send(packet[6:12] + mac(self.MAC) + packet[12:20] + b"\0\2" + mac(self.MAC) + packet[38:42]
                                   + packet[22:32])


class Attack:
    """Strangers at dom0's service, each in a thread until the block ends; `count` says how often each has come."""

    TALKERS = ("wrong_key", "silent", "slow_hello", "rubbish", "oversized")

    def __init__(self, port, stranger, dom0_mac, kinds):
        self.port, self.stranger, self.dom0_mac = port, stranger, dom0_mac
        self.count = dict.fromkeys(kinds, 0)
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.repeat, args=(name,), daemon=True) for name in self.count]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join(60)

    def repeat(self, name):
        while not self.ended.is_set():
            # Most are let go in the middle of what they do.
            with contextlib.suppress(OSError):
                getattr(self, name)()
            self.count[name] += 1

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def wrong_key(self):
        stranger = Remote(self.port, secrets.token_hex(32))
        try:
            stranger.child.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            stranger.close()

    def silent(self):
        """More connections than there are places, and not a word on any."""
        with contextlib.ExitStack() as stack:
            for _ in range(8):
                stack.enter_context(self.connect())
            self.ended.wait(3)

    def slow_hello(self):
        """The head of a handshake's record, and then its bytes one at a time."""
        with self.connect() as s:
            s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            while not self.ended.wait(0.1):
                s.sendall(b"x")

    def rubbish(self):
        with self.connect() as s:
            s.sendall(os.urandom(60000))
            s.recv(1)

    def oversized(self):
        """Records that are as long as the length field allows, which is four times as long as the protocol does."""
        with self.connect() as s:
            s.sendall(b"\x16\x03\x03\xff\xff" + bytes(65535))
            s.recv(1)

    def half_open(self):
        """First packets of TCP connections from many addresses, none of which answers, and packets longer than the cable takes."""
        address = bytes((10, 0, 2, random.randint(128, 250)))
        for _ in range(20):
            self.stranger.send(self.dom0_mac, syn(address, bytes((10, 0, 2, 9)), 2222))
        self.stranger.send(self.dom0_mac, os.urandom(9000))
        self.ended.wait(0.02)


def syn(source, to, port):
    """An IPv4 packet that begins a TCP connection."""
    tcp = struct.pack(">HHIIBBHHH", random.randint(1024, 65535), port, random.getrandbits(32), 0, 5 << 4, 2, 8192, 0, 0)
    pseudo = source + to + struct.pack(">BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), random.getrandbits(16), 0, 64, 6, 0) + source + to
    return ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + tcp


# Fetch a file some times; every line tells whether it was whole, the last how long all took.
WORK = """read start _ </proc/uptime
for i in $(seq $1); do
	[ "$(wget -q -O - http://10.0.0.2/file | md5sum)" = "$2  -" ] && echo good || echo bad
done
read end _ </proc/uptime
echo took $(awk "BEGIN { print $end - $start }")
"""


def work(dom0, guest, digest, times):
    """Let the guest do its work, and use dom0's shell all the while; returns the seconds that it took."""
    guest.run(f"(sh /work {times} {digest} >/log 2>&1 &)")
    while True:
        assert dom0.run("echo here") == ["here"]
        assert set(dom0.domains()) == {"Domain-0", "one", "two"}
        log = guest.run("cat /log")
        assert "bad" not in log, log
        if "took" in log:
            assert log.count("good") == times
            return float(log.split("took")[1].split()[0])


@pytest.mark.long
def test_attack(machine, tmp_path):
    """dom0's service under attack: guests on the same bridge and the console work on, and afterwards the rightful visitor gets in."""
    port = free_port()
    bridges = tmp_path / "bridges"
    bridges.write_text("xenbr0 uplink=net0,net1\n")
    card = ["-netdev", f"user,id=user,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.9:2222",
            "-device", "virtio-net-pci,netdev=user,addr=8"]
    with Wire() as wire, network_machine(machine, str(tmp_path), ["one", "two"], cpus=2, memory="1G",
                                         files={"etc/xl/bridges": str(bridges)}, qemu=card + wire.qemu(options=",addr=9")) as m:
        dom0 = Xl(m)
        stranger = Stranger(wire)
        stranger.start()
        dom0_mac = re.search(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", "\n".join(dom0.run("ip 10.0.2.9/24"))).group()
        assert dom0.run(f"remote on {KEY}") == []
        one, two = start(dom0, "one"), start(dom0, "two")
        for n, guest in enumerate((one, two), 1):
            guest.run(f"ifconfig eth0 10.0.0.{n} netmask 255.255.255.0 up")
        two.run("mkdir -p /www; dd if=/dev/urandom of=/www/file bs=64k count=8; httpd -h /www")
        digest = two.run("md5sum </www/file").split()[-2]
        for line in WORK.splitlines():
            one.run(f"echo '{line}' >>/work")
        times = 80
        quiet = [work(dom0, one, digest, times)]
        with Attack(port, stranger, dom0_mac, Attack.TALKERS) as attack:
            attacked = [work(dom0, one, digest, times)]
        refused, failed = re.search(r"(\d+) refused .*?, (\d+) failed", dom0.run("remote")[1]).groups()
        assert int(refused) >= 4 and int(failed) >= 3
        # While these come nobody else gets as far as to a place.
        with Attack(port, stranger, dom0_mac, ("half_open",)) as flood:
            attacked.append(work(dom0, one, digest, times))
        assert min(attack.count.values()) >= 1 and flood.count["half_open"] >= 20, (attack.count, flood.count)
        quiet.append(work(dom0, one, digest, times))
        print(f"quiet {quiet}, attacked {attacked}, {attack.count}, {flood.count}")
        print(dom0.run("remote"), dom0.run("bridges"))
        visitor = visit(port)
        assert visitor.run("xl list --json --nosuch") == dom0.run("xl list --json --nosuch")
        visitor.close()
        assert max(attacked) < 3 * max(quiet)
        check_log(one)
        check_log(two)
        dom0.poweroff()
