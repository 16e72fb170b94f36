#include "builder/steps/material.hpp"

#include <fmt/format.h>

#include "base/percent.hpp"
#include "builder/steps/fetched_source.hpp"
#include "builder/steps/source_secrets.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

namespace {

constexpr std::size_t kSha256Digits = 64;

}  // namespace

Material image_material(const std::string& reference, const oci::Digest& manifest, const oci::Platform& platform) {
  const std::string suffix = "?platform=" + percent_encoded(platform.str());
  const auto parsed = oci::Reference::parse_if_valid(reference);
  if (!parsed) return {fmt::format("pkg:oci/image@{}{}", percent_encoded(manifest.str(), ":"), suffix), manifest.str()};
  std::string uri = "pkg:docker/" + percent_encoded(parsed->familiar_name(), "/:");
  if (parsed->tag || !parsed->digest) uri += "@" + percent_encoded(parsed->tag_or_latest());
  const std::string digest = parsed->digest ? "?digest=" + parsed->digest->str() : "";
  uri += digest.empty() ? suffix : digest + "&" + suffix.substr(1);
  return {uri, manifest.str()};
}

Material url_material(const std::string& url, const oci::Digest& content) { return {shown_url(url), content.str()}; }

Material git_material(const std::string& remote, const std::string& commit) {
  return {without_user(remote), fmt::format("{}:{}", commit.size() == kSha256Digits ? "sha256" : "sha1", commit)};
}

}  // namespace kiln
