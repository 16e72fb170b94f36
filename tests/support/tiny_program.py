"""Programs for other machines, put together by hand: each writes a text to a file and ends."""

import struct

OPEN_FLAGS, MODE = 0o1101, 0o644  # O_WRONLY | O_CREAT | O_TRUNC
CURRENT_FOLDER = -100  # AT_FDCWD
BASE = 0x400000
HEADERS = 64 + 56
ELF_MACHINES = {"amd64": 62, "arm64": 183, "riscv64": 243}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "riscv64": "riscv64"}  # uname's words


def _amd64(path, text, length):
    def call(number, first, *rest):
        registers = (b"\xbe", b"\xba", b"\x41\xba")  # mov esi, edx, r10d
        moves = b"".join(register + struct.pack("<I", value) for register, value in zip(registers, rest))
        return first + moves + b"\xb8" + struct.pack("<I", number) + b"\x0f\x05"  # mov eax; syscall

    folder = b"\x48\xc7\xc7" + struct.pack("<i", CURRENT_FOLDER)  # mov rdi
    return (call(257, folder, path, OPEN_FLAGS, MODE) + call(1, b"\x89\xc7", text, length)  # mov edi, eax
            + call(60, b"\xbf" + bytes(4)))


def _words(*words):
    return struct.pack(f"<{len(words)}I", *words)


def _arm64(path, text, length):
    def load(register, value):
        return [0xD2800000 | (value & 0xFFFF) << 5 | register, 0xF2A00000 | (value >> 16) << 5 | register]

    call = 0xD4000001
    return _words(0x92800000 | ~CURRENT_FOLDER << 5, *load(1, path), *load(2, OPEN_FLAGS), *load(3, MODE), *load(8, 56), call,
                  *load(1, text), *load(2, length), *load(8, 64), call, *load(0, 0), *load(8, 93), call)


def _riscv64(path, text, length):
    def small(register, value):
        return (value & 0xFFF) << 20 | register << 7 | 0x13

    def load(register, value):  # the lower half below 0x800
        return [value & 0xFFFFF000 | register << 7 | 0x37, (value & 0xFFF) << 20 | register << 15 | register << 7 | 0x13]

    call = 0x73
    return _words(small(10, CURRENT_FOLDER), *load(11, path), small(12, OPEN_FLAGS), small(13, MODE), small(17, 56), call,
                  *load(11, text), small(12, length), small(17, 64), call, small(10, 0), small(17, 93), call)


_CODE = {"amd64": _amd64, "arm64": _arm64, "riscv64": _riscv64}


def program(architecture, path, text):
    """A static executable for linux/ARCHITECTURE that writes `text` to the file `path`."""
    path, text = path.encode() + b"\0", text.encode()
    size = len(_CODE[architecture](0, 0, 0))
    data = BASE + HEADERS + size
    code = _CODE[architecture](data, data + len(path), len(text)) + path + text
    total = HEADERS + len(code)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, ELF_MACHINES[architecture], 1, BASE + HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, total, total, 0x1000)
    return header + segment + code
