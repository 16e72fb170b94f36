#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/http_date.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "builder/cache/http_backend.hpp"
#include "registry/remote/registry_error.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMaxListBytes = std::size_t{256} << 20;
constexpr std::size_t kParallelReads = 8;
constexpr char kWhatLists[] =
    "nginx does with 'autoindex on; autoindex_format json;'; bazel-remote bounds itself, by its --max_size";

// nginx's list of a folder: [{"name": "KEY", "type": "file", "mtime": HTTP date, "size": N}, ...]. nullopt for any
// other answer.
std::optional<std::vector<HeldBlob>> parse_autoindex(const std::string& text, const std::string& where) {
  try {
    const nlohmann::json list = parse_json(text, where, Category::network, {.max_bytes = kMaxListBytes});
    if (!list.is_array()) return std::nullopt;
    std::vector<HeldBlob> files;
    for (const nlohmann::json& entry : list) {
      if (string_member(entry, "type") != "file" || !oci::Digest::is_valid("sha256:" + string_member(entry, "name")))
        continue;
      const auto size = entry.find("size");
      const auto time = parse_http_date(string_member(entry, "mtime"));
      if (size == entry.end() || !size->is_number_unsigned() || !time) return std::nullopt;
      files.push_back({string_member(entry, "name"), size->get<std::uint64_t>(), *time});
    }
    return files;
  } catch (const Error& error) {
    if (error.category() != Category::network) throw;
    return std::nullopt;
  }
}

}  // namespace

std::vector<HeldBlob> HttpBackend::listed(std::string_view kind) {
  HttpRequest asked = request(HttpMethod::get, kind, "");
  asked.headers.add("Accept", "application/json");
  asked.max_body_bytes = kMaxListBytes;
  const HttpResponse answer = send(asked);
  if (answer.status == 401 || answer.status >= 500) throw make_registry_error(asked, answer);
  auto files =
      answer.status == 200 ? parse_autoindex(answer.body, fmt::format("'{}'", asked.url.redacted())) : std::nullopt;
  if (files) return std::move(*files);
  throw Error(Category::network, fmt::format("{} does not list what it holds (GET {}: {}): {}", name_,
                                             asked.url.redacted(), answer.status, kWhatLists));
}

CacheHoldings HttpBackend::holdings() {
  CacheHoldings held;
  const std::vector<HeldBlob> keys = listed("ac");
  held.blobs = listed("cas");
  held.entries.resize(keys.size());
  ThreadPool pool(std::clamp<std::size_t>(keys.size(), 1, kParallelReads));
  pool.parallel_for(keys.size(), [&](std::size_t i) {
    const HeldBlob& file = keys[i];
    HttpRequest asked = request(HttpMethod::get, "ac", file.name);
    asked.max_body_bytes = kMaxActionResultBytes;
    const HttpResponse answer = send(asked);
    held.entries[i] = {file.name, "", file.last_used, file.bytes, {}, {}};
    if (answer.status == 404) return;
    if (answer.status != 200) throw make_registry_error(asked, answer);
    try {
      held.entries[i] =
          held_entry(parse_action_result(answer.body, file.name, asked.url.redacted()), file.bytes, file.last_used);
    } catch (const Error& error) {
      if (error.category() != Category::network) throw;
    }
  });
  return held;
}

bool HttpBackend::remove_file(std::string_view kind, const std::string& name) {
  const HttpRequest asked = request(HttpMethod::delete_, kind, name);
  const HttpResponse answer = send(asked);
  if (answer.status == 404 || (answer.status >= 200 && answer.status < 300)) return true;
  if (answer.status != 403 && answer.status != 405 && answer.status != 501) throw make_registry_error(asked, answer);
  throw Error(Category::network, fmt::format("{} deletes nothing (DELETE {}: {}): nginx does with 'dav_methods PUT "
                                             "DELETE;'",
                                             name_, asked.url.redacted(), answer.status));
}

bool HttpBackend::remove(const HeldEntry& entry) { return remove_file("ac", entry.key); }

bool HttpBackend::remove(const HeldBlob& blob) { return remove_file("cas", blob.name); }

}  // namespace kiln
