#pragma once

#include <map>
#include <string>

#include "base/file.hpp"
#include "base/temp_dir.hpp"
#include "builder/debian/debian_spec.hpp"

namespace kiln {

// Two Debian archives on disk, signed by a key of their own, for tests without a network.
class LocalArchive {
 public:
  // The programs that it needs (dpkg-deb, gpg, apt-get) and this machine lacks; empty: all there.
  static std::string missing_programs();

  LocalArchive();

  // Adds a package (Priority: required, so that every variant has it where `is_required`).
  void add(const std::string& name, const std::string& version, const std::string& fields, bool is_required = false);
  void remove(const std::string& name);
  // Writes indexes of all suites, signed.
  void publish(const std::string& date = "Sat, 10 Jan 2026 11:02:12 UTC");

  fs::path debian() const { return folder_.path() / "debian"; }
  DebianArchives archives() const;
  DebianSpec spec() const;

 private:
  struct Package {
    std::string control;
    fs::path file;
  };
  void run(std::vector<std::string> argv) const;
  void write_suite(const fs::path& archive, const std::string& suite, const std::string& index,
                   const std::string& date) const;

  TempDir folder_;
  std::map<std::string, Package> packages_;
};

}  // namespace kiln
