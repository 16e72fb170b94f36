"""Secrets that are found again wherever they stand, and the search for them: as they are, in URLs, in base64 and hexadecimal, and in what
gzip, zstd or base64 hides."""

import base64
import gzip
import hashlib
import re
import subprocess
import urllib.parse
import zlib

_GZIP, _ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
_LONG_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{64,}")
_DEEPEST = 4


class Canaries:
    """One secret for each kind: two words with '@' between, so that one that was cut at a delimiter, or has another escape for it, is
    found by the half that is left."""

    def __init__(self, *kinds):
        self.kinds = kinds
        self._forms = {}
        for kind in kinds:
            for half in self[kind].split("@"):
                self.add(kind, half)

    def add(self, kind, word):
        """A word that is looked for too, such as a token that a server made up."""
        self._forms.update({form: kind for form in _forms(word.encode())})
        self._pattern = re.compile(b"|".join(re.escape(form) for form in self._forms))

    def __getitem__(self, kind):
        if kind not in self.kinds:
            raise KeyError(kind)
        word = hashlib.sha256(f"canary {kind}".encode()).hexdigest()
        return f"k{word[:13]}@k{word[13:26]}"

    def in_url(self, kind):
        """As a password of a URL."""
        return urllib.parse.quote(self[kind], safe="")

    def found_in(self, data):
        """The kinds that stand in these bytes, or in what they are the packed form of."""
        return {self._forms[match] for piece in _opened(data) for match in self._pattern.findall(piece)}


def _forms(word):
    forms = {word, word.upper(), word[::-1], word.hex().encode(), word.hex().upper().encode(), word.decode().encode("utf-16-le")}
    for before in range(3):  # base64 has three ways to write a word, by where it stands; the characters at its ends depend on what is beside it
        text = base64.b64encode(b"\0" * before + word + b"\0" * 2)
        forms.add(text[-(-before * 8 // 6):(before + len(word)) * 8 // 6])
    return forms


def _opened(data, depth=0):
    """The bytes, and whatever is packed in them, at any offset."""
    yield data
    if depth == _DEEPEST:
        return
    for start in _offsets(data, _GZIP):
        unpacked = _gunzipped(data[start:])
        if unpacked:
            yield from _opened(unpacked, depth + 1)
    for start in _offsets(data, _ZSTD):
        unpacked = subprocess.run(["zstd", "-dcq"], input=data[start:], capture_output=True, check=False).stdout
        if unpacked:
            yield from _opened(unpacked, depth + 1)
    for match in _LONG_BASE64.finditer(data):
        text = match[0].replace(b"-", b"+").replace(b"_", b"/")
        inner = base64.b64decode(text[:len(text) // 4 * 4])
        if inner.startswith((_GZIP, _ZSTD)):
            yield from _opened(inner, depth + 1)


def _offsets(data, magic):
    start = data.find(magic)
    while start >= 0:
        yield start
        start = data.find(magic, start + 1)


def _gunzipped(data):
    """All members, as far as they go."""
    result = b""
    while data.startswith(_GZIP):
        stream = zlib.decompressobj(wbits=31)
        try:
            result += stream.decompress(data)
        except zlib.error:
            break
        data = stream.unused_data
    return result


def check_the_search():
    """AssertionError where a form of a canary would not be found."""
    canaries = Canaries("one", "other")
    secret = canaries["one"].encode()
    zstd = subprocess.run(["zstd", "-cq"], input=b"x" * 9 + secret, capture_output=True, check=True).stdout
    hidden = {"plain": secret, "half": secret[:14], "URL": canaries.in_url("one").encode(), "hex": secret.hex().encode(),
              "gzip": gzip.compress(b"a" + secret), "two members": gzip.compress(b"a") + gzip.compress(secret), "zstd behind a head": b"head" + zstd,
              "gzip in base64": base64.b64encode(gzip.compress(b"text " * 20 + secret)), "zstd in gzip": gzip.compress(zstd),
              **{f"base64 at {n}": base64.b64encode(b"user:x"[:n + 2] + b":" + secret) for n in range(4)},
              **{f"Basic at {n}": b"Basic " + base64.b64encode(b"a" * n + b":" + secret) for n in range(4)}}
    for name, data in hidden.items():
        if canaries.found_in(b"before " + data + b" behind") != {"one"} and canaries.found_in(data) != {"one"}:
            raise AssertionError(f"a canary is not found: {name}")
    if canaries.found_in(b"nothing " * 1000):
        raise AssertionError("found where none is")
