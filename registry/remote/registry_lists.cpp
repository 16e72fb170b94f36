// The lists a registry keeps: tags, repositories, referrers. Each comes in pages that are followed within the rules of
// RegistryTransport::follow().

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/registry_transport.hpp"

namespace kiln {

namespace {

using oci::Descriptor;
using oci::Digest;

constexpr int kMostListPages = 10'000;

// The target of `Link: <...>; rel="next"` (RFC 8288).
std::optional<std::string> next_link(const HttpHeaders& headers) {
  for (const std::string& field : headers.all("Link")) {
    for (const std::string_view entry : split(field, ',')) {
      const std::string_view link = trim(entry);
      const std::size_t close = link.find('>');
      if (!link.starts_with('<') || close == std::string_view::npos) continue;
      const std::string parameters = to_lower(link.substr(close));
      if (parameters.find("rel=\"next\"") != std::string::npos || parameters.find("rel=next") != std::string::npos) {
        return std::string(link.substr(1, close - 1));
      }
    }
  }
  return std::nullopt;
}

// Adds the strings of one page's list `member`. Error{network} for anything else in it.
void add_page(const std::string& body, const std::string& where, const char* member, bool (*is_valid)(std::string_view),
              std::vector<std::string>& names) {
  const nlohmann::json document = parse_json(body, where, Category::network);
  if (!document.is_object())
    throw Error(Category::network, fmt::format("{}: expected an object with a list '{}'", where, member));
  const auto list = document.find(member);
  if (list == document.end() || list->is_null()) return;
  if (!list->is_array())
    throw Error(Category::network, fmt::format("{}: expected an object with a list '{}'", where, member));
  for (const auto& name : *list) {
    if (!name.is_string() || !is_valid(name.get_ref<const std::string&>())) {
      throw Error(Category::network, fmt::format("{}: '{}' holds something that does not belong there", where, member));
    }
    names.push_back(name.get<std::string>());
  }
}

bool is_repository(std::string_view name) {
  try {
    return oci::Reference::parse(fmt::format("registry.invalid/{}", name)).repository == name;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::string referrers_fallback_tag(const Digest& subject) {
  return std::string(subject.algorithm()) + "-" + std::string(subject.hex());
}

std::vector<std::string> RegistryClient::list_names(RegistryRequest request, const std::string& what,
                                                    const char* member, bool (*is_valid)(std::string_view)) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (int page = 0; page < kMostListPages; ++page) {
    const RegistryAnswer answer = transport_->send(request);
    if (answer.response.status != 200) transport_->refuse(answer, request.repository);
    const std::string where = fmt::format("{} '{}'", what, answer.url.redacted());
    add_page(answer.response.body, where, member, is_valid, names);
    const auto next = next_link(answer.response.headers);
    if (!next) return names;
    request.url = transport_->follow(answer.url, *next);
    if (!seen.insert(request.url->str()).second)
      throw Error(Category::network, where + ": its pages go round in a circle");
  }
  throw Error(Category::network, fmt::format("{} of '{}/{}': more than {} pages", what, endpoint().authority,
                                             request.repository, kMostListPages));
}

std::vector<std::string> RegistryClient::list_tags(const std::string& repository) {
  RegistryRequest request;
  request.path = "/v2/" + repository + "/tags/list?n=1000";
  request.repository = repository;
  request.scope = Scope::pull(repository);
  return list_names(std::move(request), "list of tags", "tags", oci::is_valid_tag);
}

std::vector<std::string> RegistryClient::list_repositories() {
  RegistryRequest request;
  request.path = "/v2/_catalog?n=1000";
  request.scope = Scope::catalog();
  return list_names(std::move(request), "list of repositories", "repositories", is_repository);
}

std::vector<Descriptor> RegistryClient::referrers(const std::string& repository, const Digest& subject,
                                                  const std::string& artifact_type) {
  std::vector<Descriptor> found;
  std::set<std::string> seen;
  RegistryRequest request;
  request.path = "/v2/" + repository + "/referrers/" + subject.str();
  if (!artifact_type.empty()) request.path += "?artifactType=" + percent_encoded(artifact_type);
  request.repository = repository;
  request.scope = Scope::pull(repository);
  request.headers.add("Accept", oci::media_type::kOciIndex);
  const std::string where = fmt::format("referrers of '{}/{}@{}'", endpoint().authority, repository, subject.str());
  for (;;) {
    const RegistryAnswer answer = transport_->send(request);
    const int status = answer.response.status;
    const bool has_api = status == 200 && answer.response.headers.media_type() == oci::media_type::kOciIndex;
    if (!has_api && (status == 401 || status == 403 || status == 429 || status >= 500))
      transport_->refuse(answer, repository);
    if (!has_api) {
      const std::string tag = referrers_fallback_tag(subject);
      if (resolve(repository, tag)) found = oci::parse_index(fetch_manifest(repository, tag).bytes, where).manifests;
      break;
    }
    const oci::Index index = oci::parse_index(answer.response.body, where);
    found.insert(found.end(), index.manifests.begin(), index.manifests.end());
    const auto next = next_link(answer.response.headers);
    if (!next) break;
    request.url = transport_->follow(answer.url, *next);
    if (!seen.insert(request.url->str()).second)
      throw Error(Category::network, where + ": its pages go round in a circle");
  }
  if (!artifact_type.empty()) {
    std::erase_if(found, [&](const Descriptor& entry) { return entry.artifact_type != artifact_type; });
  }
  return found;
}

}  // namespace kiln
