"""fleet.json, image.json, profiles, bake files, compose files: of a repository that strangers write."""

import json

from tests.hostile.stand import CANARY, Case, Run

UP = "../" * 12
FLEET = {"registry": "ghcr.io", "namespace": "acme"}
IMAGE = {"kind": "base"}
DEEP = '{"a":' * 3000 + "1" + "}" * 3000
# Values that stand where another type is wanted.
ODD = {"null": None, "a number": -1, "a huge number": 1 << 70, "a list": [[]], "an object": {"a": {}}, "a NUL": "a\0b", "dots": UP + "x", "a host path": f"{CANARY}/secret", "100 KB": "a" * 100000}
KEYS = {"image.json": ("name", "dockerfile", "context", "contexts", "args", "tags", "debian", "secrets"), "fleet.json": ("registry", "namespace", "profiles", "profiles_folder", "tags", "cache", "groups")}
TEXTS = {"nothing": "", "null": "null", "a list": "[]", "deep": DEEP, "cut": '{"kind": ', "NUL bytes": "\0" * 50, "no UTF-8": b'{"kind": "\xff"}', "a key twice": '{"kind": "base", "kind": "service"}', "5 MiB": '{"kind": "' + "a" * (5 << 20) + '"}',
         "1e999": '{"kind": 1e999}', "a byte order mark": '\ufeff{"kind": "base"}'}

BAKE = {
    "nothing": "", "NUL bytes": "\0" * 50, "no UTF-8": b"\xff\xfe", "brackets 100,000 deep": "a = " + "[" * 100000, "parentheses 100,000 deep": "a = " + "(" * 100000, "an open heredoc": "a = <<E\nnever",
    "a function of itself": 'function "f" {\n  params = [x]\n  result = f(x)\n}\nvariable "a" { default = f(1) }\ntarget "default" { args = { a = a } }\n',
    "functions of one another": 'function "f" {\n  params = [x]\n  result = "${g(x)}${g(x)}"\n}\nfunction "g" {\n  params = [x]\n  result = "${f(x)}${f(x)}"\n}\ntarget "default" { args = { a = f("x") } }\n',
    "variables of one another": 'variable "a" { default = b }\nvariable "b" { default = a }\ntarget "default" { args = { a = a } }\n',
    "variables that double": "".join(f'variable "v{i + 1}" {{ default = "${{v{i}}}${{v{i}}}" }}\n' for i in range(40)) + 'variable "v0" { default = "xxxxxxxx" }\ntarget "default" { args = { a = v40 } }\n',
    "lists that double": "".join(f'variable "v{i + 1}" {{ default = [v{i}, v{i}] }}\n' for i in range(40)) + 'variable "v0" { default = ["x"] }\ntarget "default" { args = { a = jsonencode(v40) } }\n',
    "targets that inherit in a ring": 'target "default" { inherits = ["b"] }\ntarget "b" { inherits = ["default"] }\n', "a target that inherits itself": 'target "default" { inherits = ["default"] }\n',
    "groups in a ring": 'group "default" { targets = ["b"] }\ngroup "b" { targets = ["default"] }\n', "contexts in a ring": 'target "default" { contexts = { b = "target:b" } }\ntarget "b" { contexts = { a = "target:default" } }\n',
    "a pattern that backtracks": 'target "default" { args = { a = regex("(a*)*b", "' + "a" * 20000 + '") } }\n', "a pattern of counts": 'target "default" { args = { a = regex("((a{1,1000}){1,1000}){1,1000}", "a") } }\n',
    "a matrix of 10^9": 'target "default" {\n  name = "a"\n  matrix = { ' + ", ".join(f"m{i} = range(1000)" for i in range(3)) + " }\n}\n", "a range of 2^60": 'target "default" { args = { a = jsonencode(range(1152921504606846976)) } }\n',
    "a product of 10^8": 'target "default" { args = { a = jsonencode(setproduct(range(1000), range(1000), range(1000))) } }\n', "a format of a huge width": 'target "default" { args = { a = format("%999999999d", 1) } }\n',
    "a replace that grows": 'target "default" { args = { a = replace("' + "a" * 3000 + '", "", "' + "b" * 6000 + '") } }\n', "a number of 10^6 digits": 'target "default" { args = { a = ' + "9" * 1000000 + " } }\n", "a power of powers": 'target "default" { args = { a = pow(pow(9, 99), 999) } }\n',
    "a division by nothing": 'target "default" { args = { a = 1 / 0 } }\n', "a file function": f'target "default" {{ args = {{ a = file("{CANARY}/secret") }} }}\n', "the caller's environment": 'variable "HOSTILE_SECRET_2" { default = "" }\ntarget "default" { args = { a = env.HOSTILE_SECRET } }\n',
    "a Dockerfile of the host": f'target "default" {{ dockerfile = "{CANARY}/secret" }}\n', "a Dockerfile of dots": f'target "default" {{ dockerfile = "{UP}{CANARY}/secret" }}\n',
    "a context of the host": f'target "default" {{\n  context = "{CANARY}"\n  dockerfile-inline = "FROM scratch\\nCOPY . /"\n}}\n', "a secret of the host": f'target "default" {{ secret = ["id=x,src={CANARY}/secret"] }}\n',
    "an output into the host": f'target "default" {{ output = ["type=local,dest={CANARY}/loot"] }}\n', "a cache of the host": f'target "default" {{ cache-to = ["type=local,dest={CANARY}/loot"] }}\n', "an entitlement": 'target "default" { entitlements = ["security.insecure", "everything"] }\n',
    "a platform of nonsense": 'target "default" { platforms = ["a/b/c/d"] }\n', "a tag of nonsense": 'target "default" { tags = ["../../x:\x01"] }\n', "100,000 targets": "".join(f'target "t{i}" {{}}\n' for i in range(60000)), "a target of escapes": 'target "\\u001b[2J" {}\n',
}
COMPOSE = {
    "nothing": "", "aliases that double": "a0: &a0 [x, x]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}, *a{i}, *a{i}, *a{i}]\n" for i in range(20)) + "services: {s: {build: {context: ., args: *a20}}}\n", "an alias of itself": "services: &a {s: *a}\n",
    "100,000 deep": "services: " + "[" * 100000, "a merge of itself": "x: &x\n  <<: *x\nservices: {s: {build: .}}\n", "an include of itself": "include: [compose.yaml]\nservices: {s: {build: .}}\n", "an extends of itself": "services: {s: {extends: {service: s}, build: .}}\n",
    "an extends of the host": f"services: {{s: {{extends: {{file: {CANARY}/secret, service: s}}}}}}\n", "an include of the host": f"include: [{CANARY}/secret]\nservices: {{s: {{build: .}}}}\n", "an env_file of the host": f"services: {{s: {{build: ., env_file: {CANARY}/secret}}}}\n",
    "a device": "include: [/dev/zero]\nservices: {s: {build: .}}\n", "a Dockerfile of the host": f"services: {{s: {{build: {{context: ., dockerfile: {CANARY}/secret}}}}}}\n", "a tag of python": "services: !!python/object/apply:os.system ['touch /x']\n",
    "variables nested 1,000 deep": "services: {s: {image: '" + "${x:-" * 1000 + "}" * 1000 + "', build: .}}\n", "NUL bytes": "services:\n  s:\n    build: 'a\0b'\n",
}


# What names a path of the host may read it, or write there: these words are the caller's, who is asked to trust them (docs/security.md).
READS = ("dockerfile is a host path", "has a Dockerfile of dots", "a Dockerfile of", "a context of the host", "an extends of the host", "an include of the host", "an env_file of the host")
WRITES = ("an output into the host", "a cache of the host")


def reach_of(name):
    return "read" if any(text in name for text in READS) else "write" if name in WRITES else ""


def fleet(file, text, name=""):
    def runs(stand):
        stand.write("images/fleet.json", json.dumps(FLEET))
        stand.write("images/app/image.json", json.dumps(IMAGE))
        stand.write("images/app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        stand.write({"image.json": "images/app/image.json", "fleet.json": "images/fleet.json"}.get(file, file), text)
        for way, words in (("bake --print", ["bake", "--print"]), ("plan", ["plan"]), ("bake", ["bake"])):
            yield Run(way, words, reach=reach_of(name))
    return runs


def bake_file(file, text, name=""):
    def runs(stand):
        stand.write(file, text)
        stand.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        for way, words in (("bake --print", ["bake", "--print"]), ("bake", ["bake"])):
            yield Run(way, words, reach=reach_of(name))
    return runs


def cases():
    for file, keys in KEYS.items():
        for key in keys:
            for name, value in ODD.items():
                yield Case("definitions", f"{file}: {key} is {name}", fleet(file, json.dumps({**(IMAGE if file == "image.json" else FLEET), key: value}), f"{key} is {name}"))
        for name, text in TEXTS.items():
            yield Case("definitions", f"{file} is {name}", fleet(file, text))
    for name, extra in (("stands on itself", {"images/app/Dockerfile": "FROM app\n"}), ("stands on a ring", {"images/app/Dockerfile": "FROM b\n", "images/b/Dockerfile": "FROM app\n", "images/b/image.json": json.dumps(IMAGE)}),
                        ("has a Dockerfile of dots", {"images/app/image.json": json.dumps({**IMAGE, "dockerfile": f"{UP}{CANARY}/secret"})})):
        def runs(stand, extra=extra, name=name):
            for path, text in {"images/fleet.json": json.dumps(FLEET), "images/app/image.json": json.dumps(IMAGE), **extra}.items():
                stand.write(path, text)
            for way, words in (("bake --print", ["bake", "--print"]), ("bake", ["bake"])):
                yield Run(way, words, reach=reach_of(name))
        yield Case("definitions", f"an image that {name}", runs)
    for name, text in BAKE.items():
        yield Case("bake files", name, bake_file("docker-bake.hcl", text, name))
    for name, text in TEXTS.items():
        yield Case("bake files", f"JSON is {name}", bake_file("docker-bake.json", text))
    for name, text in COMPOSE.items():
        yield Case("compose files", name, bake_file("compose.yaml", text, name))
