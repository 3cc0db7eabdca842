# SPDX-License-Identifier: MIT
"""Broken dom0 images, made from the good one at test time; none is kept in the tree.

IMAGES maps a name to a function from the good image's bytes to the bad one's. Offsets are those of the
ELF64 header and program headers (System V ABI, chapters 4 and 5) and of Xen's notes (elfnote.h).
"""
import gzip
import random
import struct
import zlib

PT_NULL, PT_LOAD, PT_NOTE, SHT_NOTE = 0, 1, 4, 7
NOTE_ENTRY, NOTE_HYPERCALL_PAGE, NOTE_VIRT_BASE, NOTE_XEN_VERSION, NOTE_GUEST_OS, NOTE_LOADER = 1, 2, 3, 5, 6, 8
NOTE_PHYS32_ENTRY = 18


class Elf:
    """An ELF64 image in a bytearray with its fields by name."""

    HEADER = {"type": (16, "H"), "machine": (18, "H"), "entry": (24, "Q"), "phoff": (32, "Q"), "shoff": (40, "Q"),
              "phentsize": (54, "H"), "phnum": (56, "H"), "shentsize": (58, "H"), "shnum": (60, "H")}
    SEGMENT = {"type": (0, "I"), "flags": (4, "I"), "offset": (8, "Q"), "vaddr": (16, "Q"), "paddr": (24, "Q"),
               "filesz": (32, "Q"), "memsz": (40, "Q")}

    def __init__(self, data):
        self.data = bytearray(data)

    def _at(self, base, field):
        return base + field[0], "<" + field[1]

    def get(self, name):
        where, form = self._at(0, self.HEADER[name])
        return struct.unpack_from(form, self.data, where)[0]

    def set(self, **fields):
        for name, value in fields.items():
            where, form = self._at(0, self.HEADER[name])
            struct.pack_into(form, self.data, where, value)
        return self

    def _segment_base(self, n):
        return self.get("phoff") + n * self.get("phentsize")

    def segment(self, n, name):
        where, form = self._at(self._segment_base(n), self.SEGMENT[name])
        return struct.unpack_from(form, self.data, where)[0]

    def set_segment(self, n, **fields):
        for name, value in fields.items():
            where, form = self._at(self._segment_base(n), self.SEGMENT[name])
            struct.pack_into(form, self.data, where, value & (2**(8 * struct.calcsize(form)) - 1))
        return self

    def segments(self, kind):
        return [n for n in range(self.get("phnum")) if self.segment(n, "type") == kind]

    def notes(self):
        """(type, offset of the header, offset of the description, its size) of each of Xen's notes."""
        for n in self.segments(PT_NOTE):
            at, end = self.segment(n, "offset"), self.segment(n, "offset") + self.segment(n, "filesz")
            while at + 12 <= end:
                namesz, descsz, kind = struct.unpack_from("<III", self.data, at)
                desc = at + 12 + (namesz + 3 & ~3)
                if self.data[at + 12:at + 16] == b"Xen\0":
                    yield kind, at, desc, descsz
                at = desc + (descsz + 3 & ~3)

    def note(self, kind):
        return next((desc, size, at) for k, at, desc, size in self.notes() if k == kind)

    def set_note(self, kind, value):
        """Replace a note's description: a number, or a text no longer than the old one."""
        desc, size, _ = self.note(kind)
        if isinstance(value, int):
            value = (value & (2**(8 * size) - 1)).to_bytes(size, "little")
        assert len(value) <= size
        self.data[desc:desc + size] = value.ljust(size, b"\0")
        return self

    def rename_note(self, kind, to):
        _, _, at = self.note(kind)
        struct.pack_into("<I", self.data, at + 8, to)
        return self

    def bytes(self):
        return bytes(self.data)


def first_load(elf):
    return elf.segments(PT_LOAD)[0]


def last_load(elf):
    return elf.segments(PT_LOAD)[-1]


def without_notes(data):
    elf = Elf(data)
    for n in elf.segments(PT_NOTE):
        elf.set_segment(n, type=PT_NULL)
    for n in range(elf.get("shnum")):
        where = elf.get("shoff") + n * elf.get("shentsize") + 4
        if where + 4 <= len(elf.data) and struct.unpack_from("<I", elf.data, where)[0] == SHT_NOTE:
            struct.pack_into("<I", elf.data, where, 0)
    return elf.bytes()


def overlapping(data):
    """The last segment lies over the first."""
    elf = Elf(data)
    first, last = first_load(elf), last_load(elf)
    assert first != last
    return elf.set_segment(last, vaddr=elf.segment(first, "vaddr") + 16,
                           paddr=elf.segment(first, "paddr") + 16).bytes()


def in_last_load(**fields):
    def change(data):
        elf = Elf(data)
        return elf.set_segment(last_load(elf), **fields).bytes()

    return change


def garbled_headers(data):
    """Random bytes in place of all headers but the ELF identification."""
    noise = random.Random(1)
    return data[:16] + bytes(noise.randrange(256) for _ in range(1024)) + data[1040:]


def gzip_garbled(data):
    packed = bytearray(gzip.compress(data, 6))
    for at in range(len(packed) // 2, len(packed) // 2 + 64):
        packed[at] ^= 0x55
    return bytes(packed)


def gzip_wrong_crc(data):
    packed = bytearray(gzip.compress(data, 6))
    packed[-8] ^= 1
    return bytes(packed)


def gzip_bomb(_):
    """A few hundred KiB that unpack to 512 MiB of zeros, though the trailer claims 64 KiB."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 << 20)
    body = b"".join(deflate.compress(block) for _ in range(512)) + deflate.flush()
    return b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + body + struct.pack("<II", 0, 1 << 16)


def linux_bzimage(_):
    """The head of a kernel for bare metal: boot sector, then the setup header of Linux's boot protocol."""
    image = bytearray(64 << 10)
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x1F1] = 4
    image[0x202:0x208] = b"HdrS\x0f\x02"
    return bytes(image)


IMAGES = {
    "empty": lambda data: b"",
    "one-byte": lambda data: data[:1],
    "header-cut": lambda data: data[:40],
    "half": lambda data: data[:len(data) // 2],
    "noise": lambda data: bytes(random.Random(2).randrange(256) for _ in range(65536)),
    "garbled-headers": garbled_headers,
    "elf32": lambda data: data[:4] + b"\x01" + data[5:],
    "big-endian": lambda data: data[:5] + b"\x02" + data[6:],
    "other-machine": lambda data: Elf(data).set(machine=183).bytes(),
    "relocatable": lambda data: Elf(data).set(type=1).bytes(),
    "no-segments": lambda data: Elf(data).set(phnum=0).bytes(),
    "program-headers-outside": lambda data: Elf(data).set(phoff=2**64 - 64).bytes(),
    "program-headers-many": lambda data: Elf(data).set(phnum=0xFFFF).bytes(),
    "program-header-size": lambda data: Elf(data).set(phentsize=8).bytes(),
    "no-notes": without_notes,
    "overlapping": overlapping,
    "segment-huge": in_last_load(memsz=2**62),
    "segment-wraps": in_last_load(vaddr=2**64 - 4096, paddr=2**64 - 4096, memsz=1 << 20),
    "segment-file-wraps": in_last_load(offset=2**64 - 16),
    "segment-file-outside": in_last_load(offset=1 << 40),
    "segment-file-bigger": in_last_load(memsz=1),
    "segment-over-hypervisor": in_last_load(vaddr=0xFFFF800000000000, paddr=0xFFFF800000000000),
    "entry-outside": lambda data: Elf(data).set_note(NOTE_ENTRY, 0xFFFF800000001000).bytes(),
    "hypercall-page-outside": lambda data: Elf(data).set_note(NOTE_HYPERCALL_PAGE, 0x7FFFFFFFF000).bytes(),
    "xen-version-other": lambda data: Elf(data).set_note(NOTE_XEN_VERSION, b"xen-2.0\0").bytes(),
    "pvh-only": lambda data: Elf(data).rename_note(NOTE_ENTRY, NOTE_PHYS32_ENTRY).bytes(),
    "bzimage": linux_bzimage,
    "gzip-cut": lambda data: gzip.compress(data, 6)[:-1000],
    "gzip-head-only": lambda data: gzip.compress(data, 6)[:10],
    "gzip-garbled": gzip_garbled,
    "gzip-wrong-crc": gzip_wrong_crc,
    "gzip-of-noise": lambda data: gzip.compress(bytes(range(256)) * 64),
    "gzip-bomb": gzip_bomb,
}
