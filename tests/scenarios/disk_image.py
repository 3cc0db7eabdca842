# SPDX-License-Identifier: MIT
"""Disk images for scenarios: random contents, partition tables (UEFI 2.10, 5.3), and the pattern of `disktest --destroy`."""
import random
import struct
import uuid
import zlib

SECTOR = 512
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le


def make(path, mib, seed=1):
    """A file of random bytes, the same ones each time."""
    path.write_bytes(random.Random(seed).randbytes(mib << 20))
    return path


def _header(at, other, blocks, entries_at, entries):
    head = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, at, other, 34, blocks - 34, bytes(range(16)),
                       entries_at, 128, 128, zlib.crc32(entries))
    return head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:]


def partition(path, partitions):
    """Write both copies of a table: (name, first sector, last sector) each."""
    blocks = path.stat().st_size // SECTOR
    entries = b"".join(LINUX + uuid.UUID(int=n + 1).bytes_le + struct.pack("<QQQ", first, last, 0)
                       + name.encode("utf-16-le").ljust(72, b"\0") for n, (name, first, last) in enumerate(partitions))
    entries = entries.ljust(128 * 128, b"\0")
    with open(path, "r+b") as f:
        f.seek(SECTOR)
        f.write(_header(1, blocks - 1, blocks, 2, entries).ljust(SECTOR, b"\0") + entries)
        f.seek((blocks - 33) * SECTOR)
        f.write(entries + _header(blocks - 1, 1, blocks, blocks - 33, entries).ljust(SECTOR, b"\0"))


def read(path, first=0, count=None):
    with open(path, "rb") as f:
        f.seek(first * SECTOR)
        return f.read() if count is None else f.read(count * SECTOR)


def checksum(path, first=0, count=None):
    return f"{zlib.crc32(read(path, first, count)):08x}"


def pattern(sectors):
    """What `disktest --destroy` leaves on so many sectors."""
    return b"".join(struct.pack("<Q", n) for n in range(sectors * 64))
