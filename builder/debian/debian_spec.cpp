#include "builder/debian/debian_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.hpp"
#include "base/paragraphs.hpp"
#include "base/text.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kDigits = "0123456789";

bool only(std::string_view text, std::initializer_list<std::string_view> allowed) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::any_of(allowed.begin(), allowed.end(),
                       [c](std::string_view set) { return set.find(c) != std::string_view::npos; });
  });
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> sets) {
  return !text.empty() && only(text.substr(0, 1), sets);
}

void refuse(std::string_view what, std::string_view value, std::string_view expected) {
  throw Error(Category::usage, fmt::format("{} '{}' is not valid; expected {}", what, printable(value), expected));
}

// Debian Policy 5.6.1: lower-case letters, digits, "+-.", two characters or more, a letter or digit first.
void check_package_name(std::string_view name) {
  if (name.size() < 2 || !only(name, {kLower, kDigits, "+-."}) || !starts_with_any(name, {kLower, kDigits})) {
    refuse("package name", name, "a Debian package name such as 'python3' (no version, no architecture)");
  }
}

void check_mirror(std::string_view uri) {
  if (uri.empty()) return;
  const auto scheme_end = uri.find("://");
  const std::string_view scheme = uri.substr(0, scheme_end == std::string_view::npos ? 0 : scheme_end);
  if (scheme != "http" && scheme != "https" && scheme != "file") {
    refuse("mirror", uri, "an http, https or file URI");
  }
  const std::string_view rest = uri.substr(scheme_end + 3);
  if (rest.find('@') != std::string_view::npos) {
    throw Error(Category::usage, fmt::format("mirror on '{}' carries credentials; keep them in /etc/apt/auth.conf",
                                             printable(rest.substr(rest.rfind('@') + 1))));
  }
  if (!std::all_of(rest.begin(), rest.end(), [](unsigned char c) {
        return c > 0x20 && c < 0x7f &&
               std::string_view("\"'\\`<>[]{}|^?#").find(static_cast<char>(c)) == std::string_view::npos;
      })) {
    refuse("mirror", uri, "a URI without spaces, quotes, query or fragment");
  }
}

void sort_unique(std::vector<std::string>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

void drop_trailing_slashes(std::string& uri) {
  while (uri.size() > 1 && uri.back() == '/') uri.pop_back();
}

// One entry of apt's sources, whichever of the two formats it was written in.
struct AptSource {
  std::vector<std::string> uris;
  std::vector<std::string> suites;
  std::vector<std::string> components;
};

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  std::size_t at = 0;
  while (true) {
    at = text.find_first_not_of(" \t\r\n", at);
    if (at == std::string_view::npos) return result;
    const std::size_t end = std::min(text.find_first_of(" \t\r\n", at), text.size());
    result.emplace_back(text.substr(at, end - at));
    at = end;
  }
}

// sources.list(5), one-line style: "deb [ options ] uri suite [components]".
void read_one_line(std::string_view text, std::vector<AptSource>& into) {
  for (std::string_view line : split(text, '\n')) {
    line = trim(line.substr(0, line.find('#')));
    if (!line.starts_with("deb ") && !line.starts_with("deb\t")) continue;
    std::string_view rest = trim(line.substr(4));
    if (rest.starts_with("[")) {
      const auto close = rest.find(']');
      if (close == std::string_view::npos) continue;
      rest = rest.substr(close + 1);
    }
    std::vector<std::string> parts = words(rest);
    if (parts.size() < 3) continue;
    into.push_back({{parts[0]}, {parts[1]}, {parts.begin() + 2, parts.end()}});
  }
}

// sources.list(5), deb822 style: paragraphs, with comments and blank lines between their lines.
void read_deb822(std::string_view text, std::vector<AptSource>& into) {
  std::string stanzas;
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with('#')) continue;
    if (!trim(line).empty()) stanzas += line;
    stanzas += '\n';
  }
  read_paragraphs(stanzas, [&](const Paragraph& stanza) {
    const auto types = words(stanza.value("Types"));
    const std::string enabled = to_lower(stanza.value("Enabled"));
    const bool is_enabled = enabled != "no" && enabled != "false" && enabled != "0" && enabled != "off";
    AptSource source{words(stanza.value("URIs")), words(stanza.value("Suites")), words(stanza.value("Components"))};
    const bool is_deb = std::find(types.begin(), types.end(), "deb") != types.end();
    if (is_deb && is_enabled && !source.uris.empty()) into.push_back(std::move(source));
    return true;
  });
}

std::string_view last_segment(std::string_view uri) {
  const auto slash = uri.rfind('/');
  return slash == std::string_view::npos ? uri : uri.substr(slash + 1);
}

std::string_view host_of(std::string_view uri) {
  const auto scheme_end = uri.find("://");
  if (scheme_end == std::string_view::npos) return {};
  std::string_view authority = uri.substr(scheme_end + 3);
  authority = authority.substr(0, authority.find('/'));
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority = authority.substr(at + 1);
  return authority.substr(0, authority.find(':'));
}

bool has_suite_ending(const AptSource& source, std::string_view ending) {
  return std::any_of(source.suites.begin(), source.suites.end(),
                     [&](const std::string& suite) { return suite.ends_with(ending); });
}

bool is_usable_uri(std::string_view uri) {
  return uri.starts_with("http://") || uri.starts_with("https://") || uri.starts_with("file:///");
}

}  // namespace

const std::vector<std::string>& debian_variants() {
  static const std::vector<std::string> variants = {"essential", "apt", "minbase", "important", "standard"};
  return variants;
}

void DebianSpec::normalize() {
  if (!only(suite, {kLower, kDigits, "-."}) || !starts_with_any(suite, {kLower})) {
    refuse("suite", suite, "a Debian suite such as 'bookworm'");
  }
  const auto& variants = debian_variants();
  if (std::find(variants.begin(), variants.end(), variant) == variants.end()) {
    throw Error(Category::usage,
                fmt::format("unknown variant '{}'{}", printable(variant), suggestion(variant, variants)));
  }
  if (!only(architecture, {kLower, kDigits, "-"}) || !starts_with_any(architecture, {kLower})) {
    refuse("architecture", architecture, "one of Debian's, such as 'amd64' or 'arm64'");
  }
  for (const std::string& name : include) check_package_name(name);
  if (components.empty()) components = {"main"};
  static const std::vector<std::string> known = {"main", "contrib", "non-free", "non-free-firmware"};
  for (const std::string& component : components) {
    if (std::find(known.begin(), known.end(), component) == known.end()) {
      throw Error(Category::usage,
                  fmt::format("unknown component '{}'{}", printable(component), suggestion(component, known)));
    }
  }
  check_mirror(mirror);
  check_mirror(security_mirror);
  drop_trailing_slashes(mirror);
  drop_trailing_slashes(security_mirror);
  sort_unique(include);
  sort_unique(components);
}

std::string spec_digest(const DebianSpec& spec) {
  DebianSpec normal = spec;
  normal.normalize();
  oci::Sha256 hash;
  const auto add = [&](std::string_view value) { hash.update(fmt::format("{}:{};", value.size(), value)); };
  add("kiln debian spec 1");
  add(normal.suite);
  add(normal.variant);
  add(normal.architecture);
  add(fmt::format("{}", normal.components.size()));
  for (const std::string& component : normal.components) add(component);
  for (const std::string& name : normal.include) add(name);
  return hash.finish().str();
}

std::string debian_architecture(std::string_view oci_architecture, std::string_view oci_variant) {
  struct Row {
    std::string_view oci, variant, debian;
  };
  static constexpr std::array<Row, 10> kRows = {{{"amd64", "", "amd64"},
                                                 {"arm64", "", "arm64"},
                                                 {"arm64", "v8", "arm64"},
                                                 {"arm", "", "armhf"},
                                                 {"arm", "v7", "armhf"},
                                                 {"arm", "v5", "armel"},
                                                 {"386", "", "i386"},
                                                 {"ppc64le", "", "ppc64el"},
                                                 {"s390x", "", "s390x"},
                                                 {"riscv64", "", "riscv64"}}};
  for (const Row& row : kRows) {
    if (row.oci == oci_architecture && row.variant == oci_variant) return std::string(row.debian);
  }
  throw Error(Category::usage,
              fmt::format("Debian has no architecture for '{}{}{}'; known: amd64, arm64, arm/v7, arm/v5, 386, ppc64le, "
                          "s390x, riscv64",
                          printable(oci_architecture), oci_variant.empty() ? "" : "/", printable(oci_variant)));
}

DebianArchives archives_from_sources(const DebianSpec& spec, const std::vector<AptSourceFile>& files) {
  std::vector<AptSource> sources;
  for (const AptSourceFile& file : files) {
    if (file.file_name.ends_with(".sources")) {
      read_deb822(file.text, sources);
    } else {
      read_one_line(file.text, sources);
    }
  }

  DebianArchives archives;
  bool found_debian = false, found_security = false;
  for (const AptSource& source : sources) {
    const auto& components = source.components;
    if (std::find(components.begin(), components.end(), "main") == components.end()) continue;
    for (std::string uri : source.uris) {
      drop_trailing_slashes(uri);
      if (!is_usable_uri(uri)) continue;
      const std::string_view host = host_of(uri);
      const bool is_debians_host = host == "debian.org" || host.ends_with(".debian.org");
      if (!found_debian && last_segment(uri) == "debian" && (is_debians_host || has_suite_ending(source, "-updates"))) {
        archives.debian = uri;
        found_debian = true;
      } else if (!found_security && last_segment(uri) == "debian-security" &&
                 (has_suite_ending(source, "-security") || has_suite_ending(source, "/updates"))) {
        archives.security = uri;
        found_security = true;
      }
    }
  }

  if (!spec.mirror.empty()) archives.debian = spec.mirror;
  if (!spec.security_mirror.empty()) archives.security = spec.security_mirror;
  return archives;
}

DebianArchives archives_of_host(const DebianSpec& spec) {
  std::vector<AptSourceFile> files;
  if (auto text = read_file_if_exists("/etc/apt/sources.list")) files.push_back({"sources.list", std::move(*text)});
  std::error_code ignored;
  std::vector<fs::path> parts;
  for (const auto& entry : fs::directory_iterator("/etc/apt/sources.list.d", ignored)) {
    const std::string extension = entry.path().extension();
    if (extension == ".list" || extension == ".sources") parts.push_back(entry.path());
  }
  std::sort(parts.begin(), parts.end());
  for (const fs::path& part : parts) {
    if (auto text = read_file_if_exists(part)) files.push_back({part.filename().string(), std::move(*text)});
  }
  DebianArchives archives = archives_from_sources(spec, files);
  if (!fs::exists(archives.keyring)) {
    throw Error(Category::machine,
                fmt::format("Debian's keyring '{}' is missing; run 'apt-get install debian-archive-keyring'",
                            archives.keyring.string()));
  }
  return archives;
}

}  // namespace kiln
