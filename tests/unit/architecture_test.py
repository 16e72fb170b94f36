#!/usr/bin/env python3
"""The house's rules, checked on the sources: which room may include which, and what must not stand in a header.

Files that are longer than they should be are listed as warnings, and refused beyond a limit.
"""

import os
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Dependencies run from right to left: a room may include itself and what stands before it.
ROOMS = ["base"] + [f"registry/{room}" for room in ("oci", "store", "remote")] + [
    f"builder/{room}" for room in (
        "sign", "netlog", "layer", "packages", "dockerfile", "definitions", "plan", "policy", "cache", "debian", "run", "store_care", "steps", "solve", "report", "attest", "build", "release",
        "retention", "init", "cli")]

# Third-party headers that only these rooms may see.
ONLY_IN = {"CLI/": {"builder/cli"}, "curl/": {"registry/remote"}, "yaml.h": {"builder/definitions", "builder/release"}}

# Headers that only sources of their own room include, and that may therefore see a third-party library.
SOURCE_PRIVATE = {
    "builder/sign/openssl_key.hpp",
    "registry/remote/curl_transfer.hpp",
}

# What a public header may include in angle brackets, beside the standard library.
SYSTEM_HEADERS = re.compile(r"(sys|linux|netinet|arpa|net)/\w+\.h$|(unistd|fcntl|signal|poll|time|sched|pwd|grp|dirent)\.h$")
PUBLIC_THIRD_PARTY = {"nlohmann/json_fwd.hpp"}
STANDARD_HEADER = re.compile(r"[a-z0-9_]+$")  # <vector>, <cstdint>: no folder, no ending

WARN_LINES = {".cpp": 400, ".hpp": 150}
MOST_LINES = 600
MOST_PARAMETERS = 5  # of a constructor

# In the pages: a place-holder such as ROOM or x_test.cpp, a path of an example, $KILN_HOME's folders, a library's header.
NO_FILE_OF_OURS = re.compile(r"[A-Z]{4}|\bx_|^/|^(src|locks)/$|^nlohmann/")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def product_files():
    for top in ("base", "registry", "builder"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".hpp", ".cpp", ".h", ".c", ".cc"):
                yield path.relative_to(ROOT)


def written_pages():
    """What people read: the pages of the root and of docs/."""
    pages = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))
    return [page.relative_to(ROOT) for page in pages]


def named_files(line):
    """The names of files and folders in a line of Markdown: links, and what stands between backticks and looks like one."""
    for name in re.findall(r"\]\(([^)#]+)\)", line):
        yield name
    for code in re.findall(r"`([^`]+)`", line):
        for word in code.split():
            for name in expand_braces(word):
                if re.fullmatch(r"[\w.*/-]+(/|\.(cpp|hpp|py|md|json|txt|css))", name) and not NO_FILE_OF_OURS.search(name.removesuffix(".md")):
                    yield name


def expand_braces(word):
    match = re.fullmatch(r"([^{}]*)\{([^{}]*)\}([^{}]*)", word)
    return [match.group(1) + part + match.group(3) for part in match.group(2).split(",")] if match else [word]


def is_there(name):
    """A path from the root or from builder/, or the name of a file somewhere in a room, in tests or beside definitions."""
    name = name.rstrip("/")
    if any(any(base.glob(name)) for base in (ROOT, ROOT / "builder", ROOT / "builder/cli")):
        return True
    return "/" not in name and any(any((ROOT / top).rglob(name)) for top in ("base", "registry", "builder", "tests", "cmake"))


def room_of(path):
    """The room a path (of a file or of an include) belongs to, or None."""
    for room in ROOMS:
        if str(path).startswith(room + "/"):
            return room
    return None


def includes_of(path):
    """(line, bracket, name) of every include."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start(2)) + 1, match.group(1), match.group(2)


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def without_comments_and_literals(text):
    """The text with what stands in comments and literals taken out, so that its braces can be counted."""
    return re.sub(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
                  lambda match: '""' if match.group(0)[0] in "R\"" else " ", text, flags=re.DOTALL)


def unnamed_namespace_names(text):
    """(namespace, name, what tells it from overloads) of all that a source defines in unnamed namespaces."""
    text = re.sub(r"^\s*#[^\n]*", "", without_comments_and_literals(text), flags=re.MULTILINE)
    scopes = []  # of each open brace: a namespace's name, "" for an unnamed one, None for anything else
    head_start = 0
    for match in re.finditer(r"[{};]", text):
        head = " ".join(text[head_start:match.start()].split())
        if match.group(0) != "}" and head and scopes and scopes[-1] == "":
            name = declared_name(head)
            if name:
                yield "::".join(filter(None, scopes)), *name
        if match.group(0) == "{":
            namespace = re.match(r"(?:inline )?namespace ?([\w:]*)$", head)
            scopes.append(namespace.group(1) if namespace else None)
        elif match.group(0) == "}":
            scopes.pop()
        head_start = match.end()


def declared_name(head):
    """(name, parameter types or "") of what a declaration declares, from its text before '{' or ';'."""
    head = re.sub(r"^template ?<.*?> (?=\w|\[)", "", head)
    head = re.sub(r"^\[\[\w+\]\] ", "", head)
    if alias := re.match(r"using (\w+) = (.*)", head):
        return alias.group(1), "= " + alias.group(2)  # may be said twice, where it is the same both times
    if not re.match(r"[A-Za-z_:]", head) or re.match(r"(using|friend|static_assert|namespace|extern)\b", head):
        return None
    if match := re.match(r"(?:struct|class|enum class|enum|union) (\w+)", head):
        return match.group(1), ""
    head = re.split(r" = |=\s", head)[0] if "(" not in head.split("=")[0] else head
    if match := re.search(r"(\w+) ?\((.*)\)", head):
        parameters = [re.sub(r" ?=.*", "", part).strip() for part in match.group(2).split(",")]
        return match.group(1), ",".join(re.sub(r"(?<=[ &*])\w+$", "", part).strip() for part in parameters)
    if match := re.search(r"(\w+)(?:\[.*\])?$", head):
        return (match.group(1), "") if " " in head else None
    return None


def matching(text, start, pair):
    """Where the bracket that opens at `start` closes."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == pair[0]) - (text[at] == pair[1])
        if depth == 0:
            return at
    return len(text)


def parameters_of(text):
    """The parameters in a declaration's parentheses; commas of templates, initialisers and functions do not part them."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "(<{[") - (sign in ")>}]")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


def classes_in(text):
    """(name as it is spelt, body) of each class that a source defines."""
    for match in re.finditer(r"\b(?:class|struct)(?: \[\[\w+\]\])? ((?:\w+::)*\w+)\b[^;{}()=<>]*(?:: [^;{}]*)?\{", text):
        yield match.group(1), text[match.end():matching(text, match.end() - 1, "{}")]


def constructors_in(text):
    """(class, parameters) of each constructor that a class declares."""
    for name, body in classes_in(text):
        own = name.split("::")[-1]
        for match in re.finditer(rf"(?:^|[;{{}}]|public:|private:|protected:|explicit |constexpr )\s*{own}\(", body):
            open_at = match.end() - 1
            yield own, parameters_of(body[open_at + 1:matching(body, open_at, "()")])


def is_public_header(path):
    return path.suffix == ".hpp" and str(path) not in SOURCE_PRIVATE


def line_count(path):
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


class Architecture(unittest.TestCase):
    def expect_none(self, problems):
        if problems:
            self.fail("\n" + "\n".join(problems))

    def test_every_source_belongs_to_a_room(self):
        self.assertGreater(len(list(product_files())), 50, "the sources were not found")
        self.expect_none([f"{path}: is in no room of {', '.join(ROOMS)}" for path in product_files() if room_of(path) is None])

    def test_file_endings_are_the_houses(self):
        self.expect_none([f"{path}: expected .cpp or .hpp" for path in product_files() if path.suffix not in WARN_LINES])

    def test_includes_point_along_the_arrows(self):
        problems = []
        for path in product_files():
            own = room_of(path)
            for line, bracket, name in includes_of(path):
                if bracket != '"':
                    continue
                other = room_of(name)
                if other is None:
                    problems.append(f"{path}:{line}: '{name}' does not name a file by its path from the root")
                elif not (ROOT / name).is_file():
                    problems.append(f"{path}:{line}: '{name}' does not exist")
                elif ROOMS.index(other) > ROOMS.index(own):
                    problems.append(f"{path}:{line}: {own} must not include {other} ('{name}')")
        self.expect_none(problems)

    def test_links_point_along_the_arrows(self):
        targets = {"kiln_" + room.split("/")[-1]: room for room in ROOMS}
        problems = []
        for path in sorted(ROOT.glob("**/CMakeLists.txt")):
            own = room_of(path.relative_to(ROOT))
            if own is None:
                continue
            for links in re.findall(r"\bLINKS\s+([^)A-Z]*)", path.read_text(encoding="utf-8")):
                for target in links.split():
                    if target in targets and ROOMS.index(targets[target]) > ROOMS.index(own):
                        problems.append(f"{path.relative_to(ROOT)}: {own} must not link {target}")
        self.expect_none(problems)

    def test_some_libraries_are_seen_by_one_room_only(self):
        problems = []
        for path in product_files():
            for line, _, name in includes_of(path):
                for prefix, rooms in ONLY_IN.items():
                    if name.startswith(prefix) and room_of(path) not in rooms:
                        problems.append(f"{path}:{line}: only {', '.join(sorted(rooms))} may include <{name}>")
        self.expect_none(problems)

    def test_public_headers_hold_no_third_party_types(self):
        problems = []
        for path in filter(is_public_header, product_files()):
            for line, bracket, name in includes_of(path):
                if bracket == '"' or name in PUBLIC_THIRD_PARTY or STANDARD_HEADER.match(name) or SYSTEM_HEADERS.match(name):
                    continue
                problems.append(f"{path}:{line}: <{name}> in a public header (or list it as private in {Path(__file__).name})")
        self.expect_none(problems)

    def test_private_headers_are_included_by_their_own_sources_only(self):
        problems = [f"{name}: listed as private, but does not exist" for name in sorted(SOURCE_PRIVATE)
                    if not (ROOT / name).is_file()]
        for path in product_files():
            for line, _, name in includes_of(path):
                if name not in SOURCE_PRIVATE:
                    continue
                if room_of(path) != room_of(name):
                    problems.append(f"{path}:{line}: '{name}' is private to {room_of(name)}")
                elif is_public_header(path):
                    problems.append(f"{path}:{line}: '{name}' is for sources, not for public headers")
        self.expect_none(problems)

    def test_headers_have_pragma_once_and_no_using_namespace(self):
        problems = []
        for path in product_files():
            if path.suffix != ".hpp":
                continue
            text = without_comments((ROOT / path).read_text(encoding="utf-8"))
            if not text.lstrip().startswith("#pragma once"):
                problems.append(f"{path}: must begin with #pragma once")
            if re.search(r"\busing\s+namespace\b", text):
                problems.append(f"{path}: 'using namespace' in a header")
        self.expect_none(problems)

    def test_a_source_includes_its_own_header_first(self):
        problems = []
        for path in product_files():
            if path.suffix != ".cpp" or not (ROOT / path.with_suffix(".hpp")).is_file():
                continue
            first = next(iter(includes_of(path)), (0, "", ""))
            if first[2] != str(path.with_suffix(".hpp")):
                problems.append(f"{path}: must include its own header first")
        self.expect_none(problems)

    def test_names_in_unnamed_namespaces_are_unique_within_a_batch(self):
        # script/bootstrap compiles the sources of several rooms together, where two definitions of one name are an error.
        batches = dict(re.findall(r'^  "(\w+): ([\w ]+)"', (ROOT / "cmake/batches.cmake").read_text(encoding="utf-8"), re.MULTILINE))
        batch_of_room = {room: batch for batch, rooms in batches.items() for room in rooms.split()}

        def batch_of(path):
            return batch_of_room["progress" if "progress" in path.parts else path.parts[0 if path.parts[0] == "base" else 1]]

        constants = {(batch_of(path), name) for path in product_files() if path.suffix == ".hpp" for name in re.findall(
            r"^inline constexpr [^=({]*?(\w+)\s*(?:\[\])?\s*[={]", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)}
        places = {}
        for path in product_files():
            if path.suffix == ".cpp":
                for namespace, name, parameters in set(unnamed_namespace_names((ROOT / path).read_text(encoding="utf-8"))):
                    places.setdefault((batch_of(path), namespace, name, parameters), []).append(path)
        self.assertGreater(len(places), 500, "the names were not found")
        aliases = {}
        for key in [key for key in places if key[3].startswith("= ")]:
            aliases.setdefault((*key[:3], ""), []).extend(places.pop(key)[:1])
        for key, paths in aliases.items():
            places.setdefault(key, []).extend(paths)
        self.expect_none(
            [f"{', '.join(map(str, paths))}: each defines '{key[2]}' in an unnamed namespace; rename one, or share it"
             for key, paths in sorted(places.items()) if len(paths) > 1]
            + [f"{paths[0]}: '{key[2]}' is a constant of a header too; rename it"
               for key, paths in sorted(places.items()) if (key[0], key[2]) in constants])

    def test_no_type_is_asked_at_run_time_and_no_state_hangs_on_a_thread(self):
        # Instead: a virtual function, a catch clause for each type; a value that is passed on or owned by an object.
        word = re.compile(r"\b(dynamic_cast|dynamic_pointer_cast|typeid|thread_local)\b")
        self.expect_none([f"{path}: {match.group(0)}" for path in product_files()
                          for match in word.finditer(without_comments_and_literals((ROOT / path).read_text(encoding="utf-8")))])

    def test_constructors_take_at_most_five_things(self):
        # What many need together is a value with a name.
        problems, found = [], 0
        for path in product_files():
            for name, parameters in constructors_in(without_comments_and_literals((ROOT / path).read_text(encoding="utf-8"))):
                found += 1
                if len(parameters) > MOST_PARAMETERS:
                    problems.append(f"{path}: the constructor of {name} takes {len(parameters)} things: {', '.join(parameters)}")
        self.assertGreater(found, 300, "the constructors were not found")
        self.expect_none(problems)

    def test_a_class_is_in_one_source(self):
        # A class that is too long for one is two.
        places = {}
        for path in product_files():
            if path.suffix != ".cpp":
                continue
            text = without_comments_and_literals((ROOT / path).read_text(encoding="utf-8"))
            own = {name for name, _ in classes_in(text)}
            for match in re.finditer(r"^(?=\S)[^\n;=(]*?((?:\b[A-Z]\w*::)+)~?\w+\(", text, re.MULTILINE):
                name = match.group(1)[:-2]
                if name not in own and name.split("::")[0] not in own:
                    places.setdefault((path.parent, name), set()).add(str(path))
        self.assertGreater(len(places), 150, "the classes were not found")
        self.expect_none([f"{name} is in {', '.join(sorted(files))}" for (_, name), files in sorted(places.items()) if len(files) > 1])

    def test_tests_that_are_programs_can_be_started(self):
        """script/stress starts them, and who looks for a fault does."""
        self.expect_none([f"{path.relative_to(ROOT)} is not executable" for path in sorted((ROOT / "tests/integration").glob("*_test.py"))
                          if not os.access(path, os.X_OK)])

    def test_files_are_of_a_readable_length(self):
        long_files = [(line_count(path), path) for path in product_files() if line_count(path) > WARN_LINES.get(path.suffix, 0)]
        for lines, path in sorted(long_files, reverse=True):
            print(f"warning: {path}: {lines} lines, aim at {WARN_LINES[path.suffix]}", file=sys.stderr)
        self.expect_none([f"{path}: {lines} lines, more than {MOST_LINES}" for lines, path in long_files if lines > MOST_LINES])

    def test_comments_messages_and_docs_are_in_plain_technical_english(self):
        # What is said instead: the process, caller or user that is meant; "no process"; "means" or "refers to"; "Returns".
        words = re.compile(r"\b(whoever|whosoever|nobody|stands? for)\b", re.IGNORECASE)
        problems = []
        for path in [*product_files(), *written_pages()]:
            for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
                comment = re.search(r"(?:^|\s)//(.*)", line)
                if word := words.search(line) or (comment and re.match(r" ?Gives\b", comment.group(1))):
                    problems.append(f"{path}:{number}: '{word.group(0).strip()}': {line.strip()}")
        self.expect_none(problems)

    def test_files_that_the_pages_for_developers_name_exist(self):
        problems, found = [], 0
        for page in ("ARCHITECTURE.md", "CONTRIBUTING.md"):
            text = (ROOT / page).read_text(encoding="utf-8")
            for number, line in enumerate(text.splitlines(), 1):
                for name in named_files(line):
                    found += 1
                    if not is_there(name):
                        problems.append(f"{page}:{number}: '{name}' is no file or folder of this tree")
        self.assertGreater(found, 80, "the files were not found")
        self.expect_none(problems)

    def test_types_that_the_pages_for_developers_name_exist(self):
        text = "".join((ROOT / path).read_text(encoding="utf-8") for path in product_files())
        known, found, problems = set(re.findall(r"\w+", text)), 0, []
        for page in ("ARCHITECTURE.md", "CONTRIBUTING.md"):
            for code in re.findall(r"`([^`\n]+)`", (ROOT / page).read_text(encoding="utf-8")):
                if re.fullmatch(r"[A-Z][a-z]+[A-Z]\w+", code) and code != "UpperCamelCase":
                    found += 1
                    if code not in known:
                        problems.append(f"{page}: '{code}' is no type of the product")
        self.assertGreater(found, 4, "the types were not found")
        self.expect_none(problems)

    def test_the_lists_of_rooms_are_complete(self):
        rows = re.findall(r"^\| `([a-z_/]+)` \| \S", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE)
        self.assertEqual(rows, ROOMS, "ARCHITECTURE.md")
        made_of = (ROOT / "README.md").read_text(encoding="utf-8").split("## What it is made of")[1].split("A room includes")[0]
        names = [name for name in re.findall(r"`(\w+)`", made_of) if name not in ("registry", "builder")]
        self.assertEqual(names, [room.split("/")[-1] for room in ROOMS], "README.md")
        folders = {str(path.parent.relative_to(ROOT)) for top in ("base", "registry", "builder") for path in (ROOT / top).rglob("*.cpp")}
        self.assertEqual({room_of(folder + "/") for folder in folders}, set(ROOMS), "the folders")

    def test_unit_tests_say_category_and_message_of_an_error(self):
        problems = []
        for path in sorted((ROOT / "tests/unit").rglob("*_test.cpp")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if word := re.search(r"\b(CHECK|REQUIRE|WARN)_THROWS\w*", line):
                    problems.append(f"{path.relative_to(ROOT)}:{number}: {word.group(0)}: use CHECK_ERROR of tests/support/check_error.hpp")
        self.expect_none(problems)

    def test_the_grammar_of_keys_has_every_kind_and_field_that_is_written(self):
        grammar = (ROOT / "builder/cache/step_key.hpp").read_text(encoding="utf-8").split("class StepKeyBuilder")[0]
        words = "".join(line.strip().removeprefix("//") + "\n" for line in grammar.splitlines() if line.startswith("//"))
        fields = words.split("Fields by kind")[1].split("History:")[0]
        problems, found = [], set()
        for path in product_files():
            text = (ROOT / path).read_text(encoding="utf-8")
            if "builder/cache/step_key.hpp" not in text or path.name in ("step_key.cpp", "target_inputs.cpp"):
                continue  # what is in the hash of inputs stands in target_inputs.hpp
            for kind in re.findall(r'StepKeyBuilder(?: \w+)?\("([^"]+)"\)', text):
                found.add(kind)
                if not re.search(rf"(^   |, | ){kind}[ ,]", fields, re.MULTILINE):
                    problems.append(f"{path}: kind '{kind}'")
            for name in re.findall(r'\.(?:text|number|list)\("([^"]+)",', text):
                found.add(name)
                if not re.search(rf"\b{re.escape(name)} (and size )?\(", fields):
                    problems.append(f"{path}: field '{name}'")
        self.assertGreater(len(found), 25, f"the keys were not found: {sorted(found)}")
        self.expect_none(problems)

    def test_sources_hold_no_unfinished_business(self):
        word = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
        problems = []
        for path in product_files():
            for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
                if word.search(line):
                    problems.append(f"{path}:{number}: {line.strip()}")
        self.expect_none(problems)


if __name__ == "__main__":
    unittest.main()
