// GitHub's packages REST API, as far as listing and deleting versions goes.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "tests/support/hostile_registry.hpp"

namespace kiln::test {

namespace {

using nlohmann::json;

Answer said(int status, const std::string& message) {
  return {status, {{"Content-Type", "application/json"}}, json{{"message", message}}.dump()};
}

std::size_t parameter(std::string_view query, std::string_view name, std::size_t otherwise) {
  for (const std::string_view entry : split(query, '&')) {
    if (entry.starts_with(std::string(name) + "="))
      return parse_unsigned(entry.substr(name.size() + 1)).value_or(otherwise);
  }
  return otherwise;
}

// One page of a list, with a Link where another follows.
Answer page_of(const json& all, const SeenRequest& request, std::size_t per_page) {
  per_page = std::min(per_page, parameter(request.query, "per_page", 30));
  const std::size_t page = std::max<std::size_t>(1, parameter(request.query, "page", 1));
  json shown = json::array();
  for (std::size_t i = (page - 1) * per_page; i < std::min(all.size(), page * per_page); ++i) shown.push_back(all[i]);
  Answer answer{200, {{"Content-Type", "application/json"}}, shown.dump()};
  if (page * per_page < all.size()) {
    answer.headers.emplace_back(
        "Link", fmt::format("<https://elsewhere.invalid/page>; rel=\"next\", <{}>; rel=\"last\"", request.path));
  }
  return answer;
}

}  // namespace

std::uint64_t HostileRegistry::version_of(const std::string& repository, const std::string& digest) {
  const std::pair<std::string, std::string> version(repository, digest);
  const auto found = std::find(versions_.begin(), versions_.end(), version);
  const auto index = static_cast<std::uint64_t>(found - versions_.begin());
  if (found == versions_.end()) versions_.push_back(version);
  return 1000 + index;
}

std::string HostileRegistry::version_json(const std::string& name, const std::string& digest) {
  json tags = json::array();
  for (const auto& [tag, tagged] : repositories_[name].tags) {
    if (tagged == digest) tags.push_back(tag);
  }
  const auto created = created_.find(digest);
  return json{{"id", version_of(name, digest)},
              {"name", digest},
              {"created_at", created == created_.end() ? "2026-01-01T00:00:00Z" : created->second},
              {"metadata", {{"package_type", "container"}, {"container", {{"tags", tags}}}}}}
      .dump();
}

Answer HostileRegistry::serve_packages(const SeenRequest& request) {
  if (request.header("Authorization") != "Bearer " + options_.password) return said(401, "Bad credentials");
  if (request.header("X-GitHub-Api-Version").empty()) return said(400, "no API version");
  const auto parts = split(std::string_view(request.path).substr(std::string_view("/api/v3/").size()), '/');
  // users/OWNER | orgs/OWNER/packages | orgs/OWNER/packages/container/NAME.../versions[/ID]
  const std::string owner(parts.size() > 1 ? parts[1] : "");
  if (parts.size() == 2 && parts[0] == "users") {
    return {200, {}, json{{"login", owner}, {"type", owner == "acme" ? "Organization" : "User"}}.dump()};
  }
  if (parts[0] != (owner == "acme" ? "orgs" : "users")) return said(404, "Not Found");
  if (parts.size() == 3) {
    json packages = json::array();
    for (const auto& [name, repository] : repositories_) {
      if (name.starts_with(owner + "/")) packages.push_back({{"name", name.substr(owner.size() + 1)}});
    }
    return page_of(packages, request, options_.versions_per_page);
  }
  const auto versions = std::find(parts.begin(), parts.end(), "versions");
  if (parts.size() < 6 || versions == parts.end()) return said(404, "Not Found");
  std::string name = owner;
  for (auto part = parts.begin() + 4; part != versions; ++part) name += "/" + std::string(*part);
  const auto found = repositories_.find(name);
  if (found == repositories_.end() || found->second.manifests.empty()) return said(404, "Package not found.");
  Repository& repository = found->second;
  if (versions + 1 == parts.end()) {
    json all = json::array();
    for (const auto& [digest, manifest] : repository.manifests) all.push_back(json::parse(version_json(name, digest)));
    return page_of(all, request, options_.versions_per_page);
  }
  const std::uint64_t id = parse_unsigned(*(versions + 1)).value_or(0);
  if (id < 1000 || id >= 1000 + versions_.size() || versions_[id - 1000].first != name) return said(404, "Not Found");
  const std::string digest = versions_[id - 1000].second;
  if (!repository.manifests.contains(digest)) return said(404, "Not Found");
  if (request.method != "DELETE") return {200, {{"Content-Type", "application/json"}}, version_json(name, digest)};
  if (options_.much_downloaded.contains(digest)) {
    return said(400,
                "Publicly visible package versions with more than 5000 downloads cannot be deleted. Contact GitHub "
                "support for further assistance.");
  }
  const bool is_tagged = std::any_of(repository.tags.begin(), repository.tags.end(),
                                     [&](const auto& tag) { return tag.second == digest; });
  const bool others_tagged = std::any_of(repository.tags.begin(), repository.tags.end(),
                                         [&](const auto& tag) { return tag.second != digest; });
  if (is_tagged && !others_tagged)
    return said(400, "You cannot delete the last tagged version of a package. You must delete the package instead.");
  std::erase_if(repository.tags, [&](const auto& tag) { return tag.second == digest; });
  repository.manifests.erase(digest);
  return {204, {}, ""};
}

}  // namespace kiln::test
