#include "registry/remote/github_packages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/link_header.hpp"

namespace kiln {

namespace {

using nlohmann::json;

constexpr int kPerPage = 100;
constexpr int kMostPages = 1000;

// How long GitHub's rate limit lasts: Retry-After, or X-RateLimit-Reset (a Unix time) where nothing remains.
std::optional<double> limited_for(const HttpResponse& response, UnixSeconds now) {
  if (response.status != 403 && response.status != 429) return std::nullopt;
  if (const auto asked = requested_wait_seconds(response, now)) return asked;
  if (response.headers.find("X-RateLimit-Remaining").value_or("") != "0") return std::nullopt;
  const auto reset = parse_unsigned(response.headers.find("X-RateLimit-Reset").value_or(""));
  if (!reset || *reset > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return std::max(1.0, static_cast<double>(static_cast<UnixSeconds>(*reset) - now + 1));
}

// GitHub's {"message": "..."}.
std::string message_of(const HttpResponse& response) {
  try {
    const json document = parse_json(response.body, "answer", Category::network);
    return printable(string_member(document, "message").substr(0, 400));
  } catch (const Error&) {
    return {};  // no document: the status says what there is to say
  }
}

// A full page without a Link is looked behind: what leads on may have been lost at a proxy.
bool leads_on(const HttpResponse& response, const json& page, const std::string& where) {
  return next_page(response.headers, where).has_value() ||
         (page.is_array() && page.size() >= static_cast<std::size_t>(kPerPage) && response.headers.all("Link").empty());
}

PackageVersion version_from_json(const json& value, const std::string& where) {
  const auto refuse = [&](std::string_view what) {
    return Error(Category::network, fmt::format("{}: {}", where, what));
  };
  if (!value.is_object() || !value.contains("id") || !value["id"].is_number_unsigned())
    throw refuse("expected versions with a numeric 'id'");
  PackageVersion version;
  version.id = value["id"].get<std::uint64_t>();
  const std::string name = string_member(value, "name");
  if (!oci::Digest::is_valid(name)) throw refuse(fmt::format("version {} is not named by a digest", version.id));
  version.digest = oci::Digest::parse(name, "digest", Category::network);
  if (const auto created = value.find("created_at"); created != value.end() && created->is_string()) {
    version.created = with_context([&] { return where; }, [&] { return parse_rfc3339(created->get<std::string>()); });
  }
  const json tags = value.value(json::json_pointer("/metadata/container/tags"), json::array());
  if (!tags.is_array()) throw refuse("'tags' must be a list");
  for (const json& tag : tags) {
    if (!tag.is_string() || !oci::is_valid_tag(tag.get<std::string>()))
      throw refuse("holds something that is not a tag");
    version.tags.push_back(tag.get<std::string>());
  }
  std::sort(version.tags.begin(), version.tags.end());
  return version;
}

}  // namespace

struct GithubPackages::Reply {
  HttpRequest request;
  HttpResponse response;

  std::string where() const { return fmt::format("'{}'", request.url.redacted()); }
  json document() const {
    return parse_json(response.body, where(), Category::network, {.max_bytes = std::size_t{16} << 20});
  }
};

GithubPackages::GithubPackages(RemoteSession& session, std::string_view api, std::string token)
    : session_(session), token_(std::move(token)) {
  while (api.ends_with('/')) api.remove_suffix(1);
  api_ = Url::parse(api);
  if (!api_.is_https() && !oci::is_loopback_registry(api_.authority())) {
    throw Error(Category::usage,
                fmt::format("the packages API '{}' must be asked by https: a token goes there", api_.redacted()));
  }
}

std::string GithubPackages::api_of(std::string_view registry, std::string_view named) {
  if (!named.empty()) return std::string(named);
  constexpr std::string_view kEnterprise = "containers.";
  if (registry.starts_with(kEnterprise)) return fmt::format("https://api.{}", registry.substr(kEnterprise.size()));
  return "https://api.github.com";
}

Url GithubPackages::url_of(const std::string& path) const {
  return Url::parse(api_.origin() + (api_.path == "/" ? "" : api_.path) + path);
}

GithubPackages::Reply GithubPackages::send(HttpMethod method, const Url& url) const {
  HttpRequest request;
  request.method = method;
  request.url = url;
  request.max_body_bytes = std::uint64_t{16} << 20;
  request.headers.add("Accept", "application/vnd.github+json");
  request.headers.add("X-GitHub-Api-Version", "2022-11-28");
  if (!token_.empty()) request.headers.add("Authorization", "Bearer " + token_);
  const RetryPolicy& policy = session_.settings().retry;
  std::mt19937_64 random(std::random_device{}());
  const auto wait = [&](double seconds) {
    ++session_.stats().retries;
    session_.clock().wait(seconds, session_.cancel());
  };
  for (int attempt = 1;; ++attempt) {
    const bool is_last = attempt >= policy.attempts;
    try {
      ++session_.stats().requests;
      Reply reply{request, session_.http().send(request, session_.cancel())};
      const HttpResponse& response = reply.response;
      if (const auto seconds = limited_for(response, session_.clock().unix_seconds())) {
        if (*seconds > policy.max_wait_seconds) {
          RegistryError error = make_registry_error(request, response);
          error.add_context(
              fmt::format("GitHub's rate limit for this token ends in {}; go on then", human_seconds(*seconds)));
          throw error;
        }
        if (is_last) return reply;
        wait(std::max(*seconds, backoff_seconds(policy, attempt, random)));
      } else if (classify_response(response) != ResponseKind::final && !is_last) {
        wait(backoff_seconds(policy, attempt, random));
      } else {
        return reply;
      }
    } catch (const TransportError& fault) {
      if (!is_transient(fault.fault()) || is_last) throw;
      wait(backoff_seconds(policy, attempt, random));
    }
  }
}

void GithubPackages::refuse(const Reply& reply, const std::string& repository) const {
  const int status = reply.response.status;
  std::string said = message_of(reply.response);
  RegistryError error(fmt::format("{} '{}': GitHub answered {}{}", to_string(reply.request.method),
                                  reply.request.url.redacted(), status, said.empty() ? "" : fmt::format(" ({})", said)),
                      status, {});
  if (status >= 300 && status < 400) {
    error.add_context("redirects of the packages API are not followed; set GITHUB_API_URL to where it leads");
  } else if (status == 401 || status == 403 || status == 404) {
    error.add_context(
        fmt::format("while asking for the package '{}': the token needs the scopes read:packages and delete:packages "
                    "(a classic token), or "
                    "in Actions 'permissions: packages: write' and the role Admin under the package's settings, "
                    "'Manage Actions access'",
                    repository));
  }
  throw error;
}

std::string GithubPackages::owner_path(const std::string& owner) const {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = owner_paths_.find(owner); found != owner_paths_.end()) return found->second;
  }
  const Reply reply = send(HttpMethod::get, url_of("/users/" + percent_encoded(owner)));
  if (reply.response.status != 200) refuse(reply, owner);
  const json document = reply.document();
  const bool is_organization = document.is_object() && document.contains("type") && document["type"] == "Organization";
  const std::string path = (is_organization ? "/orgs/" : "/users/") + percent_encoded(owner);
  const std::lock_guard lock(mutex_);
  return owner_paths_[owner] = path;
}

std::string GithubPackages::package_path(const std::string& repository) const {
  const std::size_t slash = repository.find('/');
  if (slash == std::string::npos)
    throw Error(Category::usage, fmt::format("'{}' names no package; OWNER/PACKAGE was expected", repository));
  return owner_path(repository.substr(0, slash)) + "/packages/container/" +
         percent_encoded(repository.substr(slash + 1));
}

std::vector<std::string> GithubPackages::packages(const std::string& owner) const {
  std::vector<std::string> names;
  for (int page = 1; page <= kMostPages; ++page) {
    const Reply reply =
        send(HttpMethod::get, url_of(fmt::format("{}/packages?package_type=container&per_page={}&page={}",
                                                 owner_path(owner), kPerPage, page)));
    if (reply.response.status != 200) refuse(reply, owner);
    const json document = reply.document();
    if (!document.is_array()) throw Error(Category::network, reply.where() + ": expected a list of packages");
    for (const json& package : document) {
      if (!package.is_object() || !package.contains("name") || !package["name"].is_string()) {
        throw Error(Category::network, reply.where() + ": expected packages with a 'name'");
      }
      names.push_back(package["name"].get<std::string>());
    }
    if (!leads_on(reply.response, document, reply.where())) return names;
  }
  throw Error(Category::network, fmt::format("packages of '{}': more than {} pages", owner, kMostPages));
}

std::optional<PackageVersions> GithubPackages::versions(const std::string& repository) const {
  PackageVersions found;
  const std::string path = package_path(repository) + "/versions";
  for (int page = 1; page <= kMostPages; ++page) {
    const Reply reply = send(HttpMethod::get, url_of(fmt::format("{}?per_page={}&page={}", path, kPerPage, page)));
    if (reply.response.status == 404 && page == 1) return std::nullopt;
    if (reply.response.status != 200) refuse(reply, repository);
    const json document = reply.document();
    if (!document.is_array()) throw Error(Category::network, reply.where() + ": expected a list of versions");
    for (const json& value : document) {
      if (!value.is_object() || !value.contains("id") || !value["id"].is_number_unsigned())
        throw Error(Category::network, reply.where() + ": expected versions with a numeric 'id'");
      try {
        found.versions.push_back(version_from_json(value, reply.where()));
      } catch (const Error& error) {
        const std::string name = string_member(value, "name");
        const bool is_manifest = oci::Digest::is_valid(name);
        found.unreadable.push_back(
            {is_manifest ? std::optional(oci::Digest::parse(name)) : std::nullopt, error.message()});
      }
    }
    if (!leads_on(reply.response, document, reply.where())) return found;
  }
  throw Error(Category::network, fmt::format("versions of '{}': more than {} pages", repository, kMostPages));
}

PackageRemoval GithubPackages::remove(const std::string& repository, std::uint64_t id) const {
  const Reply reply = send(HttpMethod::delete_, url_of(fmt::format("{}/versions/{}", package_path(repository), id)));
  const int status = reply.response.status;
  if (status == 204 || status == 200) return PackageRemoval::removed;
  if (status == 404) return PackageRemoval::absent;
  const std::string said = to_lower(message_of(reply.response));
  if (said.find("downloads") != std::string::npos) return PackageRemoval::too_many_downloads;
  if (said.find("last tagged version") != std::string::npos || said.find("last version") != std::string::npos)
    return PackageRemoval::last_tagged;
  refuse(reply, repository);
}

std::string GithubPackages::restore_command(const std::string& repository, std::uint64_t id) const {
  return fmt::format("gh api -X POST {}/versions/{}/restore", package_path(repository), id);
}

}  // namespace kiln
