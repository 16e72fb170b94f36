#include "builder/packages/sbom.hpp"

#include <fmt/format.h>

#include "base/percent.hpp"
#include "base/text.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

std::string image_url(const SbomSubject& subject) {
  const std::size_t slash = subject.repository.rfind('/');
  const std::string name = slash == std::string::npos ? subject.repository : subject.repository.substr(slash + 1);
  std::string url =
      fmt::format("pkg:oci/{}@{}?arch={}&repository_url={}", percent_encoded(to_lower(name)), subject.manifest.str(),
                  percent_encoded(subject.platform.architecture), percent_encoded(subject.repository, ":/"));
  if (!subject.tag.empty()) url += "&tag=" + percent_encoded(subject.tag);
  return url;
}

std::string element_name(const Package& package) {
  std::string name;
  for (const char c : package.stated.name.substr(0, 60)) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (is_plain || !name.ends_with('-')) name += is_plain ? c : '-';
  }
  const std::string mark = fmt::format("{} {}", package.purl, package.layer);
  return fmt::format("{}-{}-{}", to_string(package.stated.ecosystem), name, oci::sha256_of(mark).short_hex());
}

}  // namespace kiln
