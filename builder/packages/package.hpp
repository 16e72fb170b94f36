#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// Who installed a package, and so where its database is.
enum class Ecosystem : std::uint8_t { deb, apk, conda, pypi, npm, golang };
inline constexpr std::array<Ecosystem, 6> kEcosystems = {Ecosystem::deb,  Ecosystem::apk, Ecosystem::conda,
                                                         Ecosystem::pypi, Ecosystem::npm, Ecosystem::golang};
// The type of its package URLs: "deb".
std::string_view to_string(Ecosystem ecosystem);

// What a database states of one package. Invariant of what the readers return: is_plain_word(name) and
// is_plain_word(version).
struct StatedPackage {
  Ecosystem ecosystem = Ecosystem::deb;
  std::string name;
  std::string version;
  std::string architecture;    // empty where the ecosystem has none
  std::string licence;         // as it is stated; empty where it is not
  std::string source;          // the source package, where it has another name
  std::string source_version;  // where it differs from `version`

  bool operator==(const StatedPackage&) const = default;
};

// What readers of databases met that is no package, for people: at most kMaxNotes sentences, the last of them that
// there are more.
class PackageNotes {
 public:
  static constexpr std::size_t kMaxNotes = 100;
  void add(std::string note);
  const std::vector<std::string>& all() const noexcept { return notes_; }

 private:
  std::vector<std::string> notes_;
};

// Bounds for databases that may be hostile; docs/limits.md lists them.
inline constexpr std::uint64_t kMaxDatabaseBytes = std::uint64_t{64} << 20;     // of dpkg and apk, one file for all
inline constexpr std::uint64_t kMaxPackageFileBytes = std::uint64_t{16} << 20;  // of a file about one package
inline constexpr std::uint64_t kMaxReadBytes = std::uint64_t{256} << 20;        // of all such files of an image
inline constexpr std::size_t kMaxPackages = 200'000;
inline constexpr std::size_t kMaxWordBytes = 512;  // a name, a version, an architecture
inline constexpr std::size_t kMaxLicenceBytes = 2048;

// Not empty, not longer than kMaxWordBytes, and printable characters other than spaces alone.
bool is_plain_word(std::string_view text);
// One line of printable text, its spaces joined, cut at kMaxLicenceBytes: licences.
std::string plain_line(std::string_view text);

// Checks what a database states; a note that names `where`, and false, for what is no package.
bool check_stated(const StatedPackage& package, std::string_view where, PackageNotes& notes);

}  // namespace kiln
