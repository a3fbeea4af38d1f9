"""Writes compressed samples as JSON lines: name, kind, plain (base64), packed (base64). The same for the same seed."""
import base64, bz2, gzip, json, lzma, random, zlib

random.seed(20260101)
plain = {
    "empty": b"",
    "one": b"a",
    "text": b"epoch,loss\n" + b"".join(b"%d,%.4f\n" % (i, random.random()) for i in range(900)),
    "random": random.randbytes(30_000),
    "runs": b"".join(bytes([random.randrange(3)]) * random.randrange(1, 600) for _ in range(120)),
    "mixed": b"".join(random.choice([b"\0" * 40, random.randbytes(30), b"hello world" * 5]) for _ in range(1500)),
}
for name, data in plain.items():
    half = len(data) // 2
    packed = {
        "gzip": gzip.compress(data[:half], 9, mtime=0) + gzip.compress(data[half:], 1, mtime=0),
        "zlib": zlib.compress(data, random.choice([1, 6, 9])),
        "bzip2": bz2.compress(data[:half], 1) + bz2.compress(data[half:], 9),
        "xz": lzma.compress(data, check=lzma.CHECK_CRC64) + lzma.compress(b"", check=lzma.CHECK_CRC32),
        "lzma": lzma.compress(data, format=lzma.FORMAT_ALONE),
    }
    small = [{"id": lzma.FILTER_LZMA2, "lc": 1, "lp": 2, "pb": 1, "dict_size": 4096}]
    packed["xz-small"] = lzma.compress(data, check=lzma.CHECK_CRC32, filters=small)
    packed["xz-sha256"] = lzma.compress(data, check=lzma.CHECK_SHA256)
    for kind, bytes_ in packed.items():
        encode = lambda value: base64.b64encode(value).decode()
        print(json.dumps({"name": name, "kind": kind.split("-")[0], "variant": kind, "plain": encode(data), "packed": encode(bytes_)}))
