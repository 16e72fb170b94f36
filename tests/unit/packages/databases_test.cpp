#include "builder/packages/databases.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("dpkg's status lists what is installed, with its source package") {
  PackageNotes notes;
  const auto packages = read_dpkg_status(
      "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9+deb12u4\n"
      "Description: GNU C Library\n Shared libraries.\n .\n more\n\n"
      "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n"
      "Package: libgcc-s1\nStatus: hold ok installed\nSource: gcc-12 (12.2.0-14)\nArchitecture: amd64\nVersion: "
      "12.2.0-14\n\n"
      "Package: bsdutils\nStatus: install ok installed\nSource: util-linux (2.38.1-5)\nVersion: 1:2.38.1-5\n",
      "var/lib/dpkg/status", notes);
  REQUIRE(packages.size() == 3);
  CHECK(packages[0].name == "libc6");
  CHECK(packages[0].version == "2.36-9+deb12u4");
  CHECK(packages[0].architecture == "amd64");
  CHECK(packages[0].source == "glibc");
  CHECK(packages[0].source_version.empty());
  CHECK(packages[1].source == "gcc-12");
  CHECK(packages[1].source_version.empty());
  CHECK(packages[2].source_version == "2.38.1-5");
  CHECK(notes.all().empty());
}

TEST_CASE("entries that are no packages are left out and said") {
  PackageNotes notes;
  const auto packages = read_dpkg_status(
      "Package: no-version\nStatus: install ok installed\n\nPackage: two words\nVersion: 1\n\n"
      "Package: \x1b[31mred\nVersion: 1\n\nVersion: 1\n\n: \n\nPackage: kept\nVersion: 2",
      "var/lib/dpkg/status", notes);
  REQUIRE(packages.size() == 1);
  CHECK(packages[0].name == "kept");
  REQUIRE(notes.all().size() == 4);
  CHECK(notes.all()[0] == "'var/lib/dpkg/status': package 'no-version' has no version, or one that is none");
  CHECK(notes.all()[1] == "'var/lib/dpkg/status': the name 'two words' is none of a package");
  CHECK(notes.all()[2].find('\x1b') == std::string::npos);
}

TEST_CASE("there is an end to what is said about a database") {
  PackageNotes notes;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "Package: x\n\n";
  CHECK(read_dpkg_status(text, "status", notes).empty());
  CHECK(notes.all().size() == PackageNotes::kMaxNotes);
  CHECK(notes.all().back() == "and more of the kind");
}

TEST_CASE("paths of dpkg's lists and of sums are relative to the root") {
  CHECK(read_dpkg_list("/.\n/usr\n/usr/bin/x\nnothing\n") == Strings{"usr", "usr/bin/x"});
  CHECK(read_md5sums("0123456789abcdef0123456789abcdef  usr/bin/x\nshort  y\n") == Strings{"usr/bin/x"});
}

TEST_CASE("a copyright file in machine-readable form names its licences once each") {
  const std::string head = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n";
  CHECK(read_debian_copyright(head + "Files: *\nLicense: GPL-2+\n text of it\n\nFiles: a\nLicense: Expat\n\n"
                                     "Files: b\nLicense: Expat\n\nLicense: only-a-text\n x\n") == "Expat AND GPL-2+");
  CHECK(read_debian_copyright(head + "Files: *\nLicense: Artistic or GPL-1+\n") == "Artistic or GPL-1+");
  CHECK(read_debian_copyright(head + "Files: *\nLicense: A or B\n\nFiles: x\nLicense: C\n") == "(A or B) AND C");
  CHECK(read_debian_copyright("This package was debianized by hand.\nLicense: GPL\n").empty());
}

TEST_CASE("apk's list has packages with their files") {
  PackageNotes notes;
  const auto packages = read_apk_installed(
      "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nS:383152\nL:MIT\no:musl\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\n"
      "F:\nR:top\n\nP:ssl_client\nV:1.36.1-r15\nA:x86_64\nL:GPL-2.0-only\no:busybox\n\nP:\nV:1\n",
      "lib/apk/db/installed", notes);
  REQUIRE(packages.size() == 2);
  CHECK(packages[0].stated == StatedPackage{Ecosystem::apk, "musl", "1.2.4-r2", "x86_64", "MIT", "", ""});
  CHECK(packages[0].files == Strings{"lib/ld-musl-x86_64.so.1", "top"});
  CHECK(packages[1].stated.source == "busybox");
  CHECK(notes.all().size() == 1);
}

TEST_CASE("a Python distribution states its licence in one of three ways") {
  const auto licence_of = [](const std::string& headers) {
    PackageNotes notes;
    const auto packages =
        read_python_metadata("Metadata-Version: 2.1\nName: X\nVersion: 1\n" + headers + "\n\nName: body\n", "m", notes);
    REQUIRE(packages.size() == 1);
    CHECK(packages[0].name == "X");
    return packages[0].licence;
  };
  CHECK(licence_of("License-Expression: MIT OR Apache-2.0\nLicense: other") == "MIT OR Apache-2.0");
  CHECK(licence_of("License: BSD-3-Clause\nClassifier: License :: OSI Approved :: MIT License") == "BSD-3-Clause");
  CHECK(licence_of("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License") == "MIT License");
  CHECK(licence_of("License: Copyright (c)\n  all of it\nClassifier: License :: OSI Approved :: MIT License") ==
        "MIT License");
  CHECK(licence_of("Classifier: License :: OSI Approved") == "");
  CHECK(licence_of("Summary: none") == "");
}

TEST_CASE("RECORD is CSV") {
  CHECK(read_python_record("idna/core.py,sha256=abc,12\r\n\"odd,\"\"name\"\".py\",,\n../../../bin/x,,\n\n\"open") ==
        Strings{"idna/core.py", "odd,\"name\".py", "../../../bin/x", "open"});
}

TEST_CASE("a package.json states name, version and licence, old forms included") {
  const auto read = [](const char* text) {
    PackageNotes notes;
    const auto packages = read_npm_manifest(text, "node_modules/x/package.json", notes);
    REQUIRE(packages.size() == 1);
    CHECK(notes.all().empty());
    return packages[0];
  };
  CHECK(read(R"({"name":"@acme/x","version":"1.0.0","license":"MIT"})").licence == "MIT");
  CHECK(read(R"({"name":"x","version":"1","license":{"type":"ISC","url":"u"}})").licence == "ISC");
  CHECK(read(R"({"name":"x","version":"1","licenses":[{"type":"MIT"},"GPL-2.0",7]})").licence == "MIT OR GPL-2.0");
  CHECK(read(R"({"name":"x","version":"1","license":7})").licence == "");
}

TEST_CASE("a package.json that is no package's is passed over, a broken one is said") {
  PackageNotes notes;
  CHECK(read_npm_manifest(R"({"type":"module"})", "p", notes).empty());
  CHECK(read_npm_manifest("[]", "p", notes).empty());
  CHECK(notes.all().empty());
  CHECK(read_npm_manifest("{\"name\":", "p", notes).empty());
  CHECK(read_npm_manifest(std::string(10000, '['), "p", notes).empty());
  CHECK(read_npm_manifest(R"({"name":"a b","version":"1"})", "p", notes).empty());
  CHECK(notes.all().size() == 3);
}

TEST_CASE("of a whole record of conda the members that state the package are read, and the others passed over") {
  PackageNotes notes;
  const auto packages = read_conda_package(R"({
  "build": "py311h64a7726_0",
  "build_number": 0,
  "channel": "https://conda.anaconda.org/conda-forge/linux-64",
  "constrains": [],
  "depends": ["libblas >=3.9.0,<4.0a0", "python >=3.11,<3.12.0a0"],
  "extracted_package_dir": "/opt/conda/pkgs/numpy-1.26.4-py311h64a7726_0",
  "features": "",
  "files": ["bin/f2py", "lib/python3.11/site-packages/numpy/__init__.py",
            "lib/python3.11/site-packages/numpy/__pycache__/__init__.cpython-311.pyc"],
  "fn": "numpy-1.26.4-py311h64a7726_0.conda",
  "license": "BSD-3-Clause",
  "license_family": "BSD",
  "link": {"source": "/opt/conda/pkgs/numpy-1.26.4-py311h64a7726_0", "type": 1},
  "md5": "a502d7aad449a1206efb366d6a12c52d",
  "name": "numpy",
  "package_tarball_full_path": "/opt/conda/pkgs/numpy-1.26.4-py311h64a7726_0.conda",
  "paths_data": {
    "paths": [
      {"_path": "bin/f2py", "path_type": "unix_python_entry_point"},
      {"_path": "lib/python3.11/site-packages/numpy/__init__.py", "path_type": "hardlink",
       "sha256": "3b7a", "sha256_in_prefix": "3b7a", "size_in_bytes": 17120},
      {"_path": "lib/python3.11/site-packages/numpy/__pycache__/__init__.cpython-311.pyc", "path_type": "pyc_file"}
    ],
    "paths_version": 1
  },
  "requested_spec": "numpy",
  "size": 8065890,
  "subdir": "linux-64",
  "timestamp": 1707225809722,
  "url": "https://conda.anaconda.org/conda-forge/linux-64/numpy-1.26.4-py311h64a7726_0.conda",
  "version": "1.26.4"
})",
                                           "c", notes);
  REQUIRE(packages.size() == 1);
  CHECK(packages[0].stated.name == "numpy");
  CHECK(packages[0].stated.version == "1.26.4");
  CHECK(packages[0].stated.licence == "BSD-3-Clause");
  CHECK(packages[0].files == Strings{"bin/f2py", "lib/python3.11/site-packages/numpy/__init__.py",
                                     "lib/python3.11/site-packages/numpy/__pycache__/__init__.cpython-311.pyc"});
  CHECK(notes.all().empty());
}

TEST_CASE("a record of conda states a package and its files") {
  PackageNotes notes;
  const auto packages = read_conda_package(
      R"({"name":"numpy","version":"1.26.4","license":"BSD-3-Clause","files":["bin/f2py",7,"lib/x"]})", "c", notes);
  REQUIRE(packages.size() == 1);
  CHECK(packages[0].stated.ecosystem == Ecosystem::conda);
  CHECK(packages[0].stated.name == "numpy");
  CHECK(packages[0].stated.version == "1.26.4");
  CHECK(packages[0].stated.licence == "BSD-3-Clause");
  CHECK(packages[0].files == Strings{"bin/f2py", "lib/x"});
  CHECK(notes.all().empty());
  CHECK(read_conda_package(R"({"name":"x","version":"1","files":"none"})", "c", notes).at(0).files.empty());
  CHECK(notes.all().empty());
  CHECK(read_conda_package("{", "c", notes).empty());
  CHECK(read_conda_package("[]", "c", notes).empty());
  CHECK(read_conda_package(R"({"name":"x"})", "c", notes).empty());
  CHECK(notes.all().size() == 3);
}

TEST_CASE("a name or version of more than 512 bytes is none, and a licence is cut at 2 KiB") {
  PackageNotes notes;
  const std::string most(512, 'x');
  const auto packages = read_dpkg_status("Package: " + most + "\nVersion: " + most + "\n\nPackage: " + most +
                                             "x\nVersion: 1\n\nPackage: a\nVersion: " + most + "x\n",
                                         "status", notes);
  REQUIRE(packages.size() == 1);
  CHECK(packages[0].name == most);
  REQUIRE(notes.all().size() == 2);
  CHECK(notes.all()[0].ends_with("' is none of a package"));
  CHECK(notes.all()[1] == "'status': package 'a' has no version, or one that is none");
  CHECK(plain_line(std::string(5000, 'l')) == std::string(2048, 'l'));
}
