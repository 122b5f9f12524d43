"""What tools/gen_uapi.py reads: BTF and UAPI headers of a kernel, fetched from Debian into .cache/uapi."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from pybpf.btf import Btf, Kind

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "uapi"
SOURCES_LIST = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main\n"
ENUM_HEADERS = ("linux/bpf.h", "linux/if_link.h", "linux/pkt_cls.h", "linux/perf_event.h")


class Sources:
    """What the generator reads: BTF of a kernel and a directory of UAPI headers, each with its origin in words."""

    def __init__(self, btf: bytes, btf_origin: str, headers: Path | None, headers_origin: str) -> None:
        self.btf = Btf.parse(btf)
        self.btf_origin = btf_origin
        self.headers = headers
        self.headers_origin = headers_origin
        self.enums = [(t.name, t.items) for t in self.btf if t.kind in (Kind.ENUM, Kind.ENUM64)]
        self._texts: dict[str, str] = {}
        self.header_enums = [t for name in ENUM_HEADERS for t in c_enums(self.header(name))]

    def header(self, name: str) -> str:
        if name not in self._texts:
            self._texts[name] = (self.headers / name).read_text() if self.headers else ""
        return self._texts[name]

    def defines(self, name: str) -> dict[str, str]:
        code = re.sub(r"/\*.*?\*/", "", self.header(name), flags=re.S)
        return dict(re.findall(r"^[ \t]*#define[ \t]+(\w+)[ \t]+(\S.*?)[ \t]*$", code, re.M))

    def enum(self, where: str) -> list[tuple[str, int]]:
        """The members that `where` (see uapi_tables.py) stands for; empty when this kernel has none.

        BTF lacks the enums that no code of the kernel mentions; those are read from the headers.
        """
        for enums in (self.enums, self.header_enums):
            if where.startswith("enum "):
                found = [items for name, items in enums if name == where[5:]][:1]
            elif where.startswith("with "):
                found = [[i for _, i in enums if any(n == m for n, _ in i)][:1] for m in where[5:].split(" + ")]
                found = [members for group in found for members in group] if all(found) else []
            else:
                break
            if found:
                return [member for members in found for member in members]
        if not where.startswith("#define "):
            return []
        _, name, pattern = where.split(" ", 2)
        values = {k: number(v) for k, v in self.defines(name).items() if re.fullmatch(pattern, k)}
        return [(k, v) for k, v in values.items() if v is not None]


def number(text: str) -> int | None:
    """The value of a C constant expression of literals, or None."""
    text = re.sub(r"(?<=[0-9a-fA-F])[uUlL]+\b", "", text.strip())
    if not re.fullmatch(r"[-0-9a-fA-FxX()<|~ ]+", text):
        return None
    return eval(text, {"__builtins__": {}})


def c_enums(header: str) -> list[tuple[str, list[tuple[str, int]]]]:
    """The enums of a C header: (name, members)."""
    code = re.sub(r"/\*.*?\*/|^[ \t]*#.*?$", "", header, flags=re.S | re.M)
    found = []
    for name, body in re.findall(r"\benum\s*(\w*)\s*\{(.*?)\}", code, re.S):
        values: dict[str, int] = {}
        last: int | None = -1
        for row in filter(None, (row.strip() for row in body.split(","))):
            member, _, given = (part.strip() for part in row.partition("="))
            for known in sorted(values, key=len, reverse=True):
                given = given.replace(known, str(values[known]))
            last = number(given) if given else None if last is None else last + 1
            if last is not None:
                values[member] = last
        found.append((name, list(values.items())))
    return found


def prototypes(header: str) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """name -> (return type, [(type, name), ...]) from the one-line prototypes in the header's comment."""
    found = {}
    for ret, star, name, args in re.findall(r"^ \* ((?:const |struct )*\w+) (\**)(bpf_\w+)\((.*)\)$", header, re.M):
        parsed = []
        for arg in args.split(", "):
            if arg in ("void", "..."):
                if arg == "...":
                    parsed.append(("...", ""))
                continue
            type_, star_, arg_name = re.fullmatch(r"(.*?) ?(\**)(\w+)", arg).groups()
            parsed.append((f"{type_} {star_}".strip(), arg_name))
        found[name.removeprefix("bpf_")] = (f"{ret} {star}".strip(), parsed)
    return found


def fetch() -> None:
    """Debian sid's kernel image and headers into .cache/uapi, with apt's state kept there too."""
    (CACHE / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (CACHE / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    (CACHE / "sources.list").write_text(SOURCES_LIST)
    options = {
        "Dir::Etc::SourceList": CACHE / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": CACHE / "lists",
        "Dir::State::Status": "/dev/null",
        "Dir::Cache": CACHE,
        "APT::Architecture": "amd64",
        "APT::Sandbox::User": "root",
    }
    flags = [f"-o{k}={v}" for k, v in options.items()]
    subprocess.run(["apt-get", *flags, "-qq", "update"], check=True)
    depends = ["apt-cache", *flags, "depends", "linux-image-amd64"]
    names = subprocess.run(depends, check=True, capture_output=True, text=True).stdout
    release = re.search(r"linux-(?:image|base)-(\d[\w.+~]*-amd64)", names).group(1)
    for package in (f"linux-binary-{release}", "linux-libc-dev"):
        for old in CACHE.glob(f"{package.split('-7')[0]}*.deb"):
            old.unlink()
        subprocess.run(["apt-get", *flags, "-qq", "download", package], check=True, cwd=CACHE)


def cached() -> Sources | None:
    """The sources that `fetch` left, unpacked; None when there are none."""
    images, headers = sorted(CACHE.glob("linux-binary-*.deb")), sorted(CACHE.glob("linux-libc-dev_*.deb"))
    if not images or not headers:
        return None
    trees = {}
    for deb in (images[-1], headers[-1]):
        trees[deb] = CACHE / deb.stem
        if not trees[deb].exists():
            subprocess.run(["dpkg-deb", "-x", str(deb), str(trees[deb])], check=True)
    (vmlinuz,) = trees[images[-1]].glob("**/vmlinuz*")
    origin = [f"Debian {d.name.split('_')[0]} {d.name.split('_')[1]}" for d in (images[-1], headers[-1])]
    include = trees[headers[-1]] / "usr" / "include"
    return Sources(btf_section(vmlinux(vmlinuz.read_bytes())), f"the BTF of {origin[0]}", include, origin[1])


def vmlinux(image: bytes) -> bytes:
    """The ELF file inside a compressed x86 kernel image."""
    formats = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\0": "xz", b"\x1f\x8b\x08": "gzip", b"\x02!L\x18": "lz4"}
    for magic, tool in formats.items():
        at = image.find(magic)
        while at > 0:
            out = subprocess.run([tool, "-dc"], input=image[at:], capture_output=True).stdout
            if out.startswith(b"\x7fELF"):
                return out
            at = image.find(magic, at + 1)
    raise SystemExit("gen_uapi: no compressed kernel found in the image (zstd, xz, gzip, lz4 are known)")


def btf_section(elf: bytes) -> bytes:
    """The .BTF section of a 64-bit little-endian ELF file."""
    from struct import unpack_from

    (sections,) = unpack_from("<Q", elf, 40)
    size, count, names = unpack_from("<HHH", elf, 58)
    rows = [unpack_from("<IIQQQQ", elf, sections + size * i) for i in range(count)]
    strings = rows[names][4]
    for name, _, _, _, offset, length in rows:
        if elf[strings + name : strings + name + 5] == b".BTF\0":
            return elf[offset : offset + length]
    raise SystemExit("gen_uapi: the kernel has no .BTF section")
