#include "local_archive.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/process.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

void write(const fs::path& path, std::string_view text) {
  make_directories(path.parent_path());
  const Fd file = create_file(path);
  write_all(file, text, path.string());
}

}  // namespace

std::string LocalArchive::missing_programs() {
  std::string missing;
  for (const char* program : {"dpkg-deb", "gpg", "apt-get"}) {
    if (!find_program(program)) missing += std::string(" ") + program;
  }
  return missing;
}

LocalArchive::LocalArchive() {
  make_directories(folder_.path() / "gnupg");
  fs::permissions(folder_.path() / "gnupg", fs::perms::owner_all);
  run({"gpg", "--batch", "--passphrase", "", "--quick-generate-key", "kiln test <test@kiln.example>", "ed25519",
       "default", "never"});
  run({"gpg", "--batch", "--output", (folder_.path() / "keyring.gpg").string(), "--export"});
}

void LocalArchive::run(std::vector<std::string> argv) const {
  const CommandResult result =
      run_command({.argv = argv,
                   .environment = std::vector<std::string>{"PATH=/usr/bin:/bin", "LC_ALL=C",
                                                           "GNUPGHOME=" + (folder_.path() / "gnupg").string()},
                   .working_directory = {},
                   .stdin_bytes = {}},
                  CancelToken());
  if (result.exit_code != 0) throw Error(Category::machine, argv[0] + ": " + result.stderr_bytes);
}

void LocalArchive::add(const std::string& name, const std::string& version, const std::string& fields,
                       bool is_required) {
  const fs::path tree = folder_.path() / "tree";
  remove_tree(tree);
  const std::string control = fmt::format(
      "Package: {}\nVersion: {}\nArchitecture: all\nMaintainer: kiln <test@kiln.example>\nPriority: {}\n{}"
      "Description: for a test\n",
      name, version, is_required ? "required" : "optional", fields);
  write(tree / "DEBIAN" / "control", control);
  write(tree / "usr" / "share" / name / "hello", version + "\n");
  std::string plain_version = version;
  if (const auto colon = plain_version.find(':'); colon != std::string::npos) plain_version.erase(0, colon + 1);
  remove(name);
  const fs::path file = debian() / "pool" / "main" / name / fmt::format("{}_{}_all.deb", name, plain_version);
  make_directories(file.parent_path());
  run({"dpkg-deb", "--build", "--root-owner-group", tree.string(), file.string()});
  packages_[name] = {control, file};
}

void LocalArchive::remove(const std::string& name) {
  const auto found = packages_.find(name);
  if (found == packages_.end()) return;
  fs::remove(found->second.file);
  packages_.erase(found);
}

void LocalArchive::write_suite(const fs::path& archive, const std::string& suite, const std::string& index,
                               const std::string& date) const {
  const fs::path dist = archive / "dists" / suite;
  write(dist / "main" / "binary-amd64" / "Packages", index);
  write(dist / "Release", fmt::format("Origin: kiln\nSuite: {0}\nCodename: {0}\nDate: {1}\nArchitectures: "
                                      "amd64\nComponents: main\nSHA256:\n {2} "
                                      "{3} main/binary-amd64/Packages\n",
                                      suite, date, oci::sha256_of(index).hex(), index.size()));
  fs::remove(dist / "InRelease");
  run({"gpg", "--batch", "--clearsign", "--output", (dist / "InRelease").string(), (dist / "Release").string()});
  fs::remove(dist / "Release");
}

void LocalArchive::publish(const std::string& date) {
  std::string index;
  for (const auto& [name, package] : packages_) {
    const std::string bytes = read_file(package.file);
    index += fmt::format("{}Filename: {}\nSize: {}\nSHA256: {}\n\n", package.control,
                         fs::relative(package.file, debian()).string(), bytes.size(), oci::sha256_of(bytes).hex());
  }
  write_suite(debian(), "bookworm", index, date);
  write_suite(debian(), "bookworm-updates", "", date);
  write_suite(folder_.path() / "debian-security", "bookworm-security", "", date);
}

DebianArchives LocalArchive::archives() const {
  return {.debian = "file://" + debian().string(),
          .security = "file://" + (folder_.path() / "debian-security").string(),
          .keyring = folder_.path() / "keyring.gpg"};
}

DebianSpec LocalArchive::spec() const {
  DebianSpec spec;
  spec.architecture = "amd64";
  spec.variant = "essential";
  return spec;
}

}  // namespace kiln
