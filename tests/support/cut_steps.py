"""Shell lines of RUN steps whose layers are cut along what they install."""

LARGE = 9_000_000  # of a package that has a layer of its own
SITE = "/usr/lib/python3/site-packages"


def install_python(name, version, size=10, more=""):
    """What pip does: a distribution with one module of `size` zeros and the version, and further lines of RECORD."""
    info = f"{SITE}/{name}-{version}.dist-info"
    return (f"mkdir -p {SITE}/{name} {info}; head -c {size} /dev/zero >{SITE}/{name}/__init__.py; echo {version} >>{SITE}/{name}/__init__.py; "
            f"printf 'Name: {name}\\nVersion: {version}\\n' >{info}/METADATA; printf '{name}/__init__.py,,\\n{more}' >{info}/RECORD")
