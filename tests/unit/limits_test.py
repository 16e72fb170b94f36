#!/usr/bin/env python3
"""Each limit of docs/limits.md has a test: LIMITS names one for every value of a row's middle column."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/limits.md"

# By the beginning of a row, as far as it takes to tell it from others: a test for each of its values, in their order. C++ tests are
# named as their TEST_CASE says, tests of the program by their function.
LIMITS = {
    # Base images, layers and archives
    "entries of a layer or archive": ["limits hold"],
    "one file in it": ["limits hold"],
    "all files in it": ["limits hold"],
    "holes of all its sparse files": ["holes of sparse files are counted over the whole tar, and refused before they are read"],
    "the files of a layer that a COPY": ["files that come to more than could be unpacked again are refused before a byte of them is read"],
    "the files that the command of a RUN": [
        "files that a command left are refused by their sizes, before a byte of one is read, where they are too many"],
    "the files of a context that a mount": ["test_files_of_nothing_that_are_too_much_together_are_refused_before_one_is_read"],
    "one file of a context": ["a file of more bytes than a layer's file may have is refused before it is read"],
    "the pax and GNU headers": ["limits hold"],
    "the value of an extended attribute": ["limits hold"],
    "the time of a file": ["a time that tar headers have no room for is the nearest, and reads back"],
    "a path; a name in it": ["names that lead out, hold NUL or are too long are refused with the place"] * 2,
    "all paths of a layer or archive": ["paths are counted over the whole tar, with those of folders that no entry names"] * 2,
    "link targets and extended attributes": ["link targets and attributes are counted over the whole tar, those of a global header for each entry"] * 2,
    "symbolic links on one way": ["a loop is refused"],
    "components that the names of a tar": ["the ways that names take behind links are counted over the whole tar"],
    "what a compressed stream unpacks to": ["a bomb is stopped at the limit"],
    "the window of a zstd frame": ["a zstd frame whose window is above the limit is refused before its memory is taken",
                                   "an archive that takes too much memory is refused, and not copied as what only looks compressed"],
    "a blob of an image layout": ["test_of_a_layout_no_more_is_read_than_what_its_descriptors_say"],
    "an archive that ADD unpacks": ["an archive is unpacked to its limit and no further"],
    "what ADD or a context fetches": ["what a URL brings is bounded as it comes and decoded"],
    "a git server that sends": ["a git server that says nothing is left"] * 2,
    "one command of apt": ["a mirror that takes too long is left"],
    "a file that git writes": ["what git writes and prints is bounded"] * 2,
    "a block of a layer": ["known frames are inflated in parallel and in order"],
    "/etc/passwd, /etc/group": ["a user is not looked for in a file of more than 1 MiB"],
    "layers of an image that is mounted": ["test_a_stage_of_many_layers_is_read_and_not_exported"],
    "a message between a RUN and an agent": ["a message that is empty or longer than 256 KiB ends the connection to an agent"],
    "a file index": ["the text of an index is inflated to its limit and no further"],
    "dpkg's status": ["a database of dpkg above 64 MiB, and another file about packages above 16 MiB, are left out and said"],
    "another file about packages": ["a database of dpkg above 64 MiB, and another file about packages above 16 MiB, are left out and said",
                                    "files about packages are read up to 256 MiB of an image, and the others left out and said",
                                    "files about packages are read up to a number of them, and the others left out and said"],
    "a program that is looked into": [
        "programs above 128 MiB, and those beyond 256 MiB of an image, are not looked into, which is said"] * 2,
    "packages of an image": ["of more than 200,000 packages the first are told, and that there are more"],
    "a name or version of a package": ["a name or version of more than 512 bytes is none, and a licence is cut at 2 KiB"] * 2,
    # Dockerfiles, contexts and definitions
    "a Dockerfile, an ignore file": ["test_a_dockerfile_of_more_than_16_mib_is_refused_wherever_it_comes_from"],
    "a line of a Dockerfile": ["a file without instructions and a line beyond the bound are refused",
                               "a file of more than 10,000 instructions is refused"],
    "patterns of an ignore file": ["patterns without end are refused"],
    "a pattern of an ignore file": ["a pattern of more than 4096 bytes is refused"],
    "what variables and their modifiers add": ["what would eat stack or memory is refused"] * 2 + ["variables that no image's config could hold are refused"],
    "ONBUILD in ONBUILD": ["ONBUILD keeps its trigger as text, which parses later"],
    "stages of a Dockerfile": ["a Dockerfile has a thousand stages, and the first one too many is named"],
    "a JSON definition, a bake file": ["a definition of more than 4 MiB is refused"],
    "combinations of one matrix": ["a matrix is refused where it has no name, equal names or too many combinations",
                                   "what cannot be evaluated is told with its place and reason",
                                   "what cannot be evaluated is told with its place and reason"],
    "nodes of a Compose file": ["nodes, nesting and variables that nest are bounded, aliases counted each time they are used"] * 3,
    "files that Compose files include": ["files that include one another ever wider are refused",
                                         "files that others name are read up to 64 MiB together"],
    "steps that evaluating bake files takes": ["what works longer than its operands tell is charged for it"],
    "texts that evaluating bake files makes": ["variables that expand one another without end are refused before they are gone through"],
    "parts of one value in a bake file": ["variables that expand one another without end are refused before they are gone through"],
    "how deep expressions nest": ["nesting is bounded, however it is written",
                                  "variables that expand one another without end are refused before they are gone through",
                                  "a text is refused where pattern times text is more than 50,000,000"],
    "jobs of `kiln matrix`": ["more targets than rows are dealt out by predicted time"],
    "a secret": ["a secret that cannot be read is told without its value"],
    "brackets of a licence expression": ["what is no licence expression is refused"],
    "a key that images are signed": ["a key is read to 64 KiB, and a larger text is none",
                                     "an encrypted key whose numbers or names are others than cosign's is refused before any work"],
    "a line of what a command prints": ["an endless line is cut into pieces"],
    # What RUN downloads
    "the head of a message of HTTP": ["a head has at most 64 KiB and 256 fields"] * 2,
    "digits of a chunk's size": ["chunks that are none are refused"] * 2,
    "connections of one RUN": ["connections at a time are bounded, and 256 by default"],
    "hosts of one RUN whose": ["authorities are new each time, and contexts of 1,000 hosts are kept"],
    "downloads of one RUN": ["a record keeps 10,000 downloads, 1,000 tunnels and URLs of 1,024 bytes, and counts what is beyond"] * 3,
    "attempts around the proxy": ["a watch names each attempt once, and at most 100", "of what went wrong 100 messages are kept"],
    # Registries and caches
    "connecting, TLS included": ["a server that takes a connection and says no word of TLS is left"],
    "waiting for an answer": ["a connection on which nothing moves is a stall"],
    "a transfer that moves less": ["an answer that trickles is left, whether it is kept or streamed"],
    "an answer that is kept in memory": ["an answer that is kept must be whole in time, however steadily it comes"],
    "attempts at a request": ["a token server that fails is asked as often as a registry, and not once more for each request",
                              "a pause that is too long is an error that says how long"],
    "repositories that a blob": ["a layer whose mounting is refused is sent, after two attempts at most",
                                 "two repositories between which a registry refused to mount what it has twice are not asked about again",
                                 "mounting is given up where the registry fails at it, and the blobs are sent"],
    "places of a blob": ["of many registries the one that was seen last takes the place of the oldest",
                         "few places of a registry are kept: more than these are noted only where a blob was sent"],
    "a manifest or index": ["a manifest of more than 4 MiB is refused, by HEAD already", "a manifest that nests deeper than 64 levels is refused"],
    "a document of an image": ["a config of 16 MiB is read, and a larger one is refused"],
    "indexes in an index": ["indexes that are nested or wide without an end are left"] * 2,
    "headers of an answer": ["a header that is too large, or a line of it, is told as what it is",
                             "a header that is too large, or a line of it, is told as what it is",
                             "what a registry says beside a refusal is read to 64 KiB, and shown as a line of it"],
    "a token": ["a token of more than 64 KiB, or one that no header field can hold, is refused",
                "test_a_bake_file_or_password_on_standard_input_is_read_to_its_bound"],
    "redirects; challenges": ["redirects in a circle end", "a registry that refuses every token is asked a few times alone"],
    "pages of a list": ["lists without an end are left", "a page of more than 64 MiB, and a list of more than a million names, are left",
                        "a page of more than 64 MiB, and a list of more than a million names, are left"],
    "pages of the referrers": ["pages of referrers are followed, and more than are read on with are refused",
                               "a page of referrers is read to 4 MiB and no further",
                               "pages of referrers are followed, and more than are read on with are refused",
                               "a fallback tag of more than 4 MiB is not read, and none is written"],
    "manifests of an image that is taken": ["test_indexes_of_a_layout_that_have_one_child_many_times_are_read_once_and_to_a_bound"] * 2,
    "manifests of an image that `kiln": ["test_an_index_of_more_than_1000_manifests_is_refused", "test_indexes_nested_more_than_4_deep_are_refused"],
    "signatures of an image": ["more signatures than are read are refused, of either form",
                               "a signature that is damaged, lost or too large is told, and another one still counts"],
    "artifacts that `kiln copy`": ["test_more_than_1000_artifacts_of_an_image_are_refused_before_one_is_copied",
                                   "test_artifacts_are_taken_along_4_deep"],
    "pages of versions": ["a list of versions without an end is left after 1,000 pages"],
    "layers that a report fetches": ["test_layers_beyond_what_is_fetched_are_compared_without_their_packages"],
    "pieces of one upload": ["an upload of which the registry keeps a byte of each piece is given up"],
    "a program that docker's config.json names": ["a helper that does not answer in time, or prints without an end, is left and named"] * 2,
    "an entry of a shared cache": ["an entry of more than 100,000 blobs or of 8 MiB is refused",
                                   "an answer of an http cache is read to 16 MiB and no further"],
    "blobs of one entry": ["an entry of more than 100,000 blobs or of 8 MiB is refused"],
    "waiting for another machine's step": ["a machine that goes on giving signs of life is waited for no longer than the longest time",
                                           "a machine that died is waited for once, and then its step is taken over"],
    "what is shared of one cache mount": ["what is too large is neither saved nor fetched, and that is said"],
}


def rows_of(text):
    """(what, values) of each row of the page's tables."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and cells[0] != "What":
            yield cells[0], cells[1].split("; ")


def names_of_tests():
    names = set()
    for path in (ROOT / "tests").rglob("*_test.cpp"):
        text = re.sub(r'"\s*\n\s*"', "", path.read_text(encoding="utf-8", errors="replace"))  # a name that is broken over lines
        names.update(re.findall(r'TEST_CASE(?:_FIXTURE)?\((?:\s*\w+,)?\s*"((?:[^"\\]|\\.)*)"', text))
    for path in (ROOT / "tests").rglob("*_test.py"):
        names.update(re.findall(r"^ +def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE))
    return names


def problems(page, limits, tests):
    """What is wrong with the list of tests, a sentence for each."""
    unused = set(limits)
    for what, values in rows_of(page):
        beginnings = [beginning for beginning in limits if what.startswith(beginning)]
        if len(beginnings) != 1:
            yield f"'{what}': expected one row of LIMITS for it, got {len(beginnings)}"
            continue
        unused.discard(beginnings[0])
        named = limits[beginnings[0]]
        if len(named) != len(values):
            yield f"'{what}': it has {len(values)} values, and tests for {len(named)}"
        for name in named:
            if name not in tests:
                yield f"'{what}': there is no test '{name}'"
    for beginning in sorted(unused):
        yield f"'{beginning}': no row of {PAGE} begins so"


class Limits(unittest.TestCase):
    def test_each_value_of_each_row_names_a_test_that_is_there(self):
        page = (ROOT / PAGE).read_text(encoding="utf-8")
        self.assertGreater(len(list(rows_of(page))), 60)
        self.assertEqual(list(problems(page, LIMITS, names_of_tests())), [])

    def test_a_row_without_a_test_is_found(self):
        page = "| What | At most | Beyond it |\n|---|---|---|\n| apples | 3; 4 | 1 |\n| pears of a tree | 5 | 2 |\n"
        tests = {"apples are counted"}
        apples = {"apples": ["apples are counted"] * 2}
        self.assertEqual(list(problems(page, apples, tests)), ["'pears of a tree': expected one row of LIMITS for it, got 0"])
        self.assertEqual(list(problems(page, {**apples, "pears": ["no such test"]}, tests)), ["'pears of a tree': there is no test 'no such test'"])
        self.assertEqual(list(problems(page, {"apples": ["apples are counted"], "pears": ["apples are counted"]}, tests)),
                         ["'apples': it has 2 values, and tests for 1"])
        self.assertEqual(list(problems(page, {**apples, "pears": ["apples are counted"], "plums": []}, tests)),
                         [f"'plums': no row of {PAGE} begins so"])


if __name__ == "__main__":
    unittest.main()
