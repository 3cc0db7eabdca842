# SPDX-License-Identifier: MIT
"""A network card of the machine whose cable ends in the test: Ethernet packets over a pair of sockets."""
import os
import socket
import struct
import tempfile
import time


class Wire:
    """QEMU's end and ours. Socket paths are short: their length is limited."""

    def __init__(self, name="net0"):
        self.folder = tempfile.TemporaryDirectory(prefix="wire-")
        self.name = name
        self.theirs = os.path.join(self.folder.name, "qemu")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.socket.bind(os.path.join(self.folder.name, "test"))

    def qemu(self, model="virtio-net-pci", mac="52:54:00:00:00:01", options=""):
        """QEMU's arguments for a card at this wire."""
        return ["-netdev", f"dgram,id={self.name},local.type=unix,local.path={self.theirs},"
                           f"remote.type=unix,remote.path={self.folder.name}/test",
                "-device", f"{model},id=card-{self.name},netdev={self.name},mac={mac}{options}"]

    def send(self, packet, timeout=60):
        self.socket.settimeout(timeout)
        self.socket.sendto(packet, self.theirs)

    def receive(self, timeout=60):
        """The next packet, or None."""
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(65536)
        except TimeoutError:
            return None

    def expect(self, wanted, timeout=60):
        """The next packet for which wanted(packet) is true; others are passed over."""
        end = time.monotonic() + timeout
        while True:
            packet = self.receive(max(0.01, end - time.monotonic()))
            assert packet is not None, f"no such packet within {timeout} s"
            if wanted(packet):
                return packet

    def close(self):
        self.socket.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


def mac(text):
    return bytes(int(part, 16) for part in text.split(":"))


def ethernet(to, source, kind, payload):
    return mac(to) + mac(source) + struct.pack(">H", kind) + payload


def checksum(data):
    """The Internet's (RFC 1071)."""
    words = struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
