#include "builder/packages/sbom.hpp"

#include <fmt/format.h>

#include "base/percent.hpp"
#include "base/text.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

UnixSeconds stated_creation(const oci::ImageConfig& config) {
  const auto created = parse_rfc3339_if_valid(config.created);
  // An offset leads out of the years that a bill can say.
  const bool can_be_said = created && *created >= kFirstRfc3339Second && *created <= kLastRfc3339Second;
  return can_be_said ? *created : kReproducibleEpoch;
}

std::string image_url(const SbomSubject& subject) {
  const std::size_t slash = subject.repository.rfind('/');
  std::string name = slash == std::string::npos ? subject.repository : subject.repository.substr(slash + 1);
  if (name.empty()) name = subject.name;
  std::string url = fmt::format("pkg:oci/{}@{}?arch={}", percent_encoded(to_lower(name)), subject.manifest.str(),
                                percent_encoded(subject.platform.architecture));
  if (!subject.repository.empty()) url += "&repository_url=" + percent_encoded(subject.repository, ":/");
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
