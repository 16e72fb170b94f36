#include "builder/cache/http_backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/http_date.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/registry_error.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMaxActionResultBytes = 2 * kMaxEntryBytes;
constexpr std::size_t kParallelRequests = 8;

bool is_created(int status) { return status == 200 || status == 201 || status == 204; }

std::string action_result(const CacheEntry& entry) {
  nlohmann::json files = nlohmann::json::array();
  for (const oci::Descriptor& blob : entry.blobs) {
    const std::string hex(blob.digest.hex());
    files.push_back(
        {{"path", "blobs/sha256/" + hex}, {"digest", {{"hash", hex}, {"sizeBytes", std::to_string(blob.size)}}}});
  }
  return json_text(nlohmann::json{{"outputFiles", files}, {"stdoutRaw", base64_encoded(serialise(entry))}});
}

CacheEntry parse_action_result(const std::string& text, const std::string& key, const std::string& where) {
  const nlohmann::json result = parse_json(text, where, Category::network, {.max_bytes = kMaxActionResultBytes});
  const auto entry = base64_decoded(string_member(result, "stdoutRaw"));
  if (!entry || entry->empty()) throw Error(Category::network, fmt::format("{}: it holds no entry of kiln", where));
  return parse_entry(*entry, key, where);
}

constexpr std::size_t kMaxFolderListBytes = std::size_t{256} << 20;
constexpr char kWhatLists[] =
    "nginx does with 'autoindex on; autoindex_format json;'; bazel-remote bounds itself, by its --max_size";

// nginx's list of a folder: [{"name": "KEY", "type": "file", "mtime": HTTP date, "size": N}, ...]. nullopt for any
// other answer.
std::optional<std::vector<HeldBlob>> parse_autoindex(const std::string& text, const std::string& where) {
  try {
    const nlohmann::json list = parse_json(text, where, Category::network, {.max_bytes = kMaxFolderListBytes});
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

HttpBackend::HttpBackend(const std::string& url, RemoteSession& session) : url_(Url::parse(url)), session_(session) {
  while (url_.path.ends_with('/')) url_.path.pop_back();
  name_ = fmt::format("http {}{}", url_.authority(), url_.path);
  const auto credentials = session.credentials().find(url_.authority(), "");
  if (!credentials || credentials->username.empty()) return;
  if (!url_.is_https() && !oci::is_loopback_registry(url_.authority())) {
    throw Error(Category::usage,
                fmt::format("there are credentials for the cache '{}', and it is not encrypted; use an https URL, "
                            "or take them away with 'kiln logout {}'",
                            url_.redacted(), url_.authority()));
  }
  authorization_ = "Basic " + base64_encoded(credentials->username + ":" + credentials->password);
}

HttpRequest HttpBackend::request(HttpMethod method, std::string_view kind, std::string_view hex) const {
  HttpRequest request;
  request.method = method;
  request.url = url_;
  request.url.path += fmt::format("/{}/{}", kind, hex);
  if (!authorization_.empty()) request.headers.add("Authorization", authorization_);
  return request;
}

// One more attempt for a connection that the server closed just then.
HttpResponse HttpBackend::send(const HttpRequest& request) {
  for (bool first = true;; first = false) {
    try {
      ++session_.stats().requests;
      return session_.http().send(request, session_.cancel());
    } catch (const TransportError& error) {
      const bool is_worth_it = error.fault() == TransportFault::reset && error.received_bytes() == 0;
      if (!first || !is_worth_it || (request.body && !request.body->rewind())) throw;
    }
  }
}

CacheFinding HttpBackend::find_one(const std::string& key) {
  HttpRequest asked = request(HttpMethod::get, "ac", key);
  asked.headers.add("Accept", "application/json");
  asked.max_body_bytes = kMaxActionResultBytes;
  const HttpResponse answer = send(asked);
  if (answer.status == 404) return {};
  if (answer.status != 200) throw make_registry_error(asked, answer);
  session_.stats().pulled_bytes += answer.received_bytes;
  CacheFinding finding;
  try {
    finding.entry = parse_action_result(answer.body, key, fmt::format("cache entry '{}'", asked.url.redacted()));
  } catch (const Error& error) {
    finding.reason = error.message();
    return finding;
  }
  // The chunks of a cache mount are many, and their reader asks for all of them next.
  const bool is_asked_anyway = finding.entry->media_type == kMountEntryType;
  for (const oci::Descriptor& blob : finding.entry->blobs) {
    if (is_asked_anyway) break;
    if (has_blob(blob)) continue;
    finding.reason = fmt::format("its blob {} is not there", blob.digest.short_hex());
    finding.entry.reset();
    break;
  }
  return finding;
}

std::vector<CacheFinding> HttpBackend::find(std::span<const std::string> keys) {
  std::vector<CacheFinding> findings(keys.size());
  if (keys.size() == 1) return {find_one(keys[0])};
  ThreadPool pool(std::clamp<std::size_t>(keys.size(), 1, kParallelRequests));
  pool.parallel_for(keys.size(), [&](std::size_t i) { findings[i] = find_one(keys[i]); });
  return findings;
}

void HttpBackend::put(const CacheEntry& entry) {
  HttpRequest sent = request(HttpMethod::put, "ac", entry.key);
  sent.headers.add("Content-Type", "application/json");
  sent.body = memory_body(action_result(entry));
  const HttpResponse answer = send(sent);
  session_.stats().pushed_bytes += answer.sent_bytes;
  if (!is_created(answer.status)) throw make_registry_error(sent, answer);
}

// nginx answers 204 where its configuration allows DELETE; bazel-remote has none.
bool HttpBackend::remove(const CacheEntry& entry) {
  if (refuses_delete_) return false;
  const HttpResponse answer = send(request(HttpMethod::delete_, "ac", entry.key));
  if (answer.status != 404 && !is_created(answer.status)) refuses_delete_ = true;
  return !refuses_delete_;
}

bool HttpBackend::has_blob(const oci::Descriptor& blob) {
  const HttpRequest asked = request(HttpMethod::head, "cas", blob.digest.hex());
  const HttpResponse answer = send(asked);
  if (answer.status == 404) return false;
  if (answer.status != 200) throw make_registry_error(asked, answer);
  const auto length = answer.headers.find("Content-Length");
  return !length || parse_unsigned(*length) == blob.size;
}

bool HttpBackend::get_blob(const oci::Descriptor& blob, ContentStore& store) {
  HttpRequest asked = request(HttpMethod::get, "cas", blob.digest.hex());
  BlobWriter writer = store.begin_blob();
  asked.wants_body = [](int status, const HttpHeaders&) { return status == 200; };
  asked.on_body = [&](std::string_view bytes) {
    writer.write(bytes);
    return AfterPiece::go_on;
  };
  asked.max_streamed_bytes = blob.size;
  ++session_.stats().requests;
  HttpResponse answer;
  try {
    answer = session_.http().send(asked, session_.cancel());
  } catch (const TransportError& error) {
    if (error.fault() != TransportFault::too_large) throw;
    throw Error(Category::network,
                fmt::format("'{}': more than the {} bytes expected", asked.url.redacted(), blob.size));
  }
  if (answer.status == 404) return false;
  if (answer.status != 200) throw make_registry_error(asked, answer);
  session_.stats().pulled_bytes += answer.received_bytes;
  try {
    writer.commit(blob.digest);
  } catch (const Error&) {
    damaged_.add(blob.digest);
    throw;
  }
  return true;
}

bool HttpBackend::put_blob(const oci::Descriptor& blob, const ContentStore& store, std::span<const RemoteRepository>) {
  if (!damaged_.has(blob.digest) && has_blob(blob)) return true;
  if (!store.has(blob.digest)) return false;
  HttpRequest sent = request(HttpMethod::put, "cas", blob.digest.hex());
  sent.headers.add("Content-Type", "application/octet-stream");
  sent.body =
      file_body(std::make_shared<Fd>(store.open(blob.digest)), 0, blob.size, store.path_of(blob.digest).native());
  const HttpResponse answer = send(sent);
  session_.stats().pushed_bytes += answer.sent_bytes;
  if (!is_created(answer.status)) throw make_registry_error(sent, answer);
  return true;
}

std::vector<HeldBlob> HttpBackend::listed(std::string_view kind) {
  HttpRequest asked = request(HttpMethod::get, kind, "");
  asked.headers.add("Accept", "application/json");
  asked.max_body_bytes = kMaxFolderListBytes;
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
  ThreadPool pool(std::clamp<std::size_t>(keys.size(), 1, kParallelRequests));
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
