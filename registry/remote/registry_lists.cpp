#include "registry/remote/registry_lists.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "registry/oci/manifest.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/link_header.hpp"
#include "registry/remote/registry_error.hpp"

namespace kiln {

namespace {

using oci::Descriptor;
using oci::Digest;

// How many names are asked for at a time. A registry may allow fewer (docker-registry: catalog.maxentries,
// tags.maxtags) and says so by this code; without a number it sends what it likes.
constexpr std::array<int, 3> kPageSizes = {1000, 100, 0};
constexpr std::size_t kMostListPages = 2000;
constexpr std::size_t kMostListedNames = 1'000'000;
// Each is a manifest of up to 4 MiB for who reads them, and a page of them a document of up to 4 MiB.
constexpr std::size_t kMostReferrerPages = 100;
constexpr std::size_t kMostReferrers = 10'000;
// A registry that knows no pages (Debian's docker-registry has none for tags) sends all names at once.
constexpr std::uint64_t kMostPageBytes = std::uint64_t{64} << 20;
constexpr std::size_t kMostShownName = 100;
constexpr char kPageTooLarge[] = "PAGINATION_NUMBER_INVALID";

struct ListedNames {
  std::vector<std::string> names;
  std::vector<std::string> odd;  // what does not belong there
};

// Adds the strings of one page's list `member`. Error{network} for anything else in it.
void add_page(const HttpResponse& response, const std::string& where, const char* member,
              bool (*is_valid)(std::string_view), ListedNames& found) {
  if (const std::string why = why_no_json(response); !why.empty())
    throw Error(Category::network, fmt::format("{}: {}", where, why));
  const nlohmann::json document = parse_json(response.body, where, Category::network, {.max_bytes = kMostPageBytes});
  if (!document.is_object())
    throw Error(Category::network, fmt::format("{}: expected an object with a list '{}'", where, member));
  const auto list = document.find(member);
  if (list != document.end() && list->is_null()) return;  // as Go writes an empty one
  if (list == document.end() || !list->is_array())
    throw Error(Category::network, fmt::format("{}: expected an object with a list '{}'", where, member));
  for (const auto& name : *list) {
    if (!name.is_string())
      throw Error(Category::network, fmt::format("{}: '{}' holds something that is no name", where, member));
    const auto& text = name.get_ref<const std::string&>();
    (is_valid(text) ? found.names : found.odd).push_back(text);
  }
}

// Sends the request for page after page and hands each answer to `read`, which returns how many entries it had. The
// first answer must have status 200 already.
struct ListBounds {
  std::size_t pages = kMostListPages;
  std::size_t entries = kMostListedNames;
};
template <class Read>
void follow_pages(RegistryTransport& transport, RegistryRequest request, RegistryAnswer answer,
                  const std::string& where, const ListBounds& bounds, Read read) {
  std::set<std::string> seen = {answer.url.str()};
  std::size_t entries = 0;
  for (std::size_t page = 1;; ++page) {
    if (answer.response.status != 200) transport.refuse(answer, request.repository);
    entries += read(answer);
    if (entries > bounds.entries) {
      throw Error(Category::network,
                  fmt::format("{}: more than {} entries, which is not read on", where, bounds.entries));
    }
    const auto next = next_page(answer.response.headers, where);
    if (!next) return;
    if (page == bounds.pages)
      throw Error(Category::network, fmt::format("{}: more than {} pages, which are not read on", where, page));
    request.url = transport.follow(answer.url, *next);
    if (!seen.insert(request.url->str()).second)
      throw Error(Category::network, where + ": its pages go round in a circle");
    answer = transport.send(request);
  }
}

// The answer to the first page's request, which becomes the one for the pages behind it.
RegistryAnswer ask_for_names(RegistryTransport& transport, const std::string& path, RegistryRequest& request) {
  RegistryAnswer answer;
  request.max_body_bytes = kMostPageBytes;
  for (const int size : kPageSizes) {
    request.path = size == 0 ? path : fmt::format("{}?n={}", path, size);
    answer = transport.send(request);
    const auto codes = parse_error_codes(answer.response.body);
    const bool is_too_large =
        answer.response.status == 400 &&
        std::any_of(codes.begin(), codes.end(), [](const auto& entry) { return entry.code == kPageTooLarge; });
    if (!is_too_large) break;
  }
  return answer;
}

// All names of a list, over all pages.
ListedNames list_names(RegistryTransport& transport, const RegistryRequest& request, const RegistryAnswer& answer,
                       const std::string& what, const char* member, bool (*is_valid)(std::string_view)) {
  ListedNames found;
  follow_pages(transport, request, answer, fmt::format("{} '{}'", what, answer.url.redacted()), {},
               [&](const RegistryAnswer& page) {
                 const std::size_t before = found.names.size() + found.odd.size();
                 add_page(page.response, fmt::format("{} '{}'", what, page.url.redacted()), member, is_valid, found);
                 return found.names.size() + found.odd.size() - before;
               });
  return found;
}

RegistryRequest tag_request(const std::string& repository) {
  RegistryRequest request;
  request.repository = repository;
  request.scope = Scope::pull(repository);
  return request;
}

std::string tag_path(const std::string& repository) { return "/v2/" + repository + "/tags/list"; }

ListedNames list_tag_names(RegistryTransport& transport, const RegistryRequest& request, const RegistryAnswer& answer) {
  return list_names(transport, request, answer, "list of tags", "tags", oci::is_valid_tag);
}

}  // namespace

std::optional<TagList> RegistryLists::find_tags(const std::string& repository) {
  RegistryRequest request = tag_request(repository);
  const RegistryAnswer answer = ask_for_names(transport_, tag_path(repository), request);
  // Of the first page alone: one that is missing behind it is a part of a list that is not there.
  if (answer.response.status == 404) return std::nullopt;
  ListedNames found = list_tag_names(transport_, request, answer);
  return TagList{std::move(found.names), std::move(found.odd)};
}

std::vector<std::string> RegistryLists::tags(const std::string& repository) {
  RegistryRequest request = tag_request(repository);
  const RegistryAnswer answer = ask_for_names(transport_, tag_path(repository), request);
  ListedNames found = list_tag_names(transport_, request, answer);
  for (const std::string& odd : found.odd) {
    session_.log().warn(fmt::format("'{}/{}' has a tag '{}', which no client can name; it is passed over",
                                    transport_.endpoint().authority, repository,
                                    printable(odd.substr(0, kMostShownName))));
  }
  return std::move(found.names);
}

std::vector<std::string> RegistryLists::repositories() {
  RegistryRequest request;
  request.scope = Scope::catalog();
  const RegistryAnswer answer = ask_for_names(transport_, "/v2/_catalog", request);
  ListedNames found =
      list_names(transport_, request, answer, "list of repositories", "repositories", oci::is_valid_repository);
  for (const std::string& odd : found.odd) {
    session_.log().warn(fmt::format("registry '{}' has a repository '{}', which no client can name; it is passed over",
                                    transport_.endpoint().authority, printable(odd.substr(0, kMostShownName))));
  }
  return std::move(found.names);
}

std::optional<std::vector<Descriptor>> RegistryLists::referrers(const std::string& repository, const Digest& subject,
                                                                const std::string& artifact_type) {
  RegistryRequest request;
  request.path = "/v2/" + repository + "/referrers/" + subject.str();
  if (!artifact_type.empty()) request.path += "?artifactType=" + percent_encoded(artifact_type);
  request.repository = repository;
  request.scope = Scope::pull(repository);
  request.headers.add("Accept", oci::media_type::kOciIndex);
  const std::string where =
      fmt::format("referrers of '{}/{}@{}'", transport_.endpoint().authority, repository, subject.str());
  const RegistryAnswer first = transport_.send(request);
  const int status = first.response.status;
  if (status == 401 || status == 403 || status == 429 || status >= 500) transport_.refuse(first, repository);
  if (status != 200 || first.response.headers.media_type() != oci::media_type::kOciIndex) return std::nullopt;
  std::vector<Descriptor> found;
  follow_pages(transport_, request, first, where, {kMostReferrerPages, kMostReferrers},
               [&](const RegistryAnswer& page) {
                 const oci::Index index = oci::parse_index(page.response.body, where);
                 found.insert(found.end(), index.manifests.begin(), index.manifests.end());
                 return index.manifests.size();
               });
  return found;
}

}  // namespace kiln
