#include "tests/support/hostile_registry.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/text.hpp"
#include "registry/oci/digest.hpp"

namespace kiln::test {

namespace {

using nlohmann::json;

std::string base64(std::string_view bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) result += i + k <= bytes.size() ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  return result;
}

std::string decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      result += static_cast<char>(parse_unsigned(text.substr(i + 1, 2), 16).value_or('?'));
      i += 2;
    } else {
      result += text[i] == '+' ? ' ' : text[i];
    }
  }
  return result;
}

std::string parameter(std::string_view query, std::string_view name) {
  for (const std::string_view entry : split(query, '&')) {
    const std::size_t equals = entry.find('=');
    if (entry.substr(0, equals) == name && equals != std::string_view::npos) return decoded(entry.substr(equals + 1));
  }
  return {};
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// A reset, not an orderly end.
void break_connection(int fd) {
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

std::string head_of(const Answer& answer, std::size_t length) {
  std::string head = fmt::format("HTTP/1.1 {} Status\r\nContent-Length: {}\r\n", answer.status, length);
  for (const auto& [name, value] : answer.headers) head += fmt::format("{}: {}\r\n", name, value);
  return head + "\r\n";
}

Answer error(int status, std::string_view code, std::string_view message = "") {
  return {status,
          {{"Content-Type", "application/json"}},
          json{{"errors", {{{"code", code}, {"message", message}}}}}.dump()};
}

}  // namespace

std::string SeenRequest::header(std::string_view name) const {
  for (const std::string_view line : split(head, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && equals_ignoring_case(line.substr(0, colon), name)) {
      return std::string(trim(line.substr(colon + 1)));
    }
  }
  return {};
}

HostileRegistry::HostileRegistry(HostileOptions options) : options_(std::move(options)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_, 128) != 0 || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the hostile registry cannot listen");
  }
  port_ = ntohs(address.sin_port);
  threads_.emplace_back([this] { accept_all(); });
}

HostileRegistry::~HostileRegistry() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    ended_.notify_all();
  }
  threads_.front().join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    threads.swap(threads_);
  }
  for (std::size_t i = 1; i < threads.size(); ++i) threads[i].join();
  ::close(listener_);
}

std::string HostileRegistry::authority() const { return fmt::format("127.0.0.1:{}", port_); }

void HostileRegistry::script(std::function<Reaction(const SeenRequest&, int)> script) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
}

std::string HostileRegistry::add_blob(const std::string& repository, const std::string& bytes) {
  const std::lock_guard lock(mutex_);
  const std::string digest = oci::sha256_of(bytes).str();
  blobs_[digest] = bytes;
  repositories_[repository].blobs.insert(digest);
  return digest;
}

std::string HostileRegistry::add_manifest(const std::string& repository, const std::string& tag,
                                          const std::string& bytes, const std::string& media_type) {
  const std::lock_guard lock(mutex_);
  const std::string digest = oci::sha256_of(bytes).str();
  repositories_[repository].manifests[digest] = {media_type, bytes};
  if (!tag.empty()) repositories_[repository].tags[tag] = digest;
  return digest;
}

void HostileRegistry::set_created(const std::string& digest, const std::string& rfc3339) {
  const std::lock_guard lock(mutex_);
  created_[digest] = rfc3339;
}

bool HostileRegistry::has_manifest(const std::string& repository, const std::string& digest) const {
  const std::lock_guard lock(mutex_);
  const auto found = repositories_.find(repository);
  return found != repositories_.end() && found->second.manifests.contains(digest);
}

void HostileRegistry::drop_blob(const std::string& repository, const std::string& digest) {
  const std::lock_guard lock(mutex_);
  repositories_[repository].blobs.erase(digest);
}

std::optional<std::string> HostileRegistry::tag(const std::string& repository, const std::string& tag) const {
  const std::lock_guard lock(mutex_);
  const auto found = repositories_.find(repository);
  if (found == repositories_.end() || !found->second.tags.contains(tag)) return std::nullopt;
  return found->second.tags.at(tag);
}

bool HostileRegistry::has_blob(const std::string& repository, const std::string& digest) const {
  const std::lock_guard lock(mutex_);
  const auto found = repositories_.find(repository);
  return found != repositories_.end() && found->second.blobs.contains(digest);
}

std::vector<std::string> HostileRegistry::broken_tags() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> broken;
  for (const auto& [name, repository] : repositories_) {
    const auto whole = [&, &own = repository](const auto& self, const std::string& digest) -> bool {
      const auto found = own.manifests.find(digest);
      if (found == own.manifests.end() || oci::sha256_of(found->second.second).str() != digest) return false;
      const json document = json::parse(found->second.second);
      for (const auto& child : document.value("manifests", json::array())) {
        if (!self(self, child.at("digest").get<std::string>())) return false;
      }
      json blobs = document.value("layers", json::array());
      if (document.contains("config")) blobs.push_back(document["config"]);
      for (const auto& blob : blobs) {
        const std::string blob_digest = blob.at("digest").get<std::string>();
        if (!own.blobs.contains(blob_digest) || oci::sha256_of(blobs_.at(blob_digest)).str() != blob_digest)
          return false;
      }
      return true;
    };
    for (const auto& [tag, digest] : repository.tags) {
      if (!whole(whole, digest)) broken.push_back(name + ":" + tag);
    }
  }
  return broken;
}

std::vector<SeenRequest> HostileRegistry::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

int HostileRegistry::count(std::string_view method, std::string_view path_part) const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(std::count_if(requests_.begin(), requests_.end(),
                                        [&](const SeenRequest& request) { return request.is(method, path_part); }));
}

bool HostileRegistry::saw_secret(const std::vector<std::string>& secrets) const {
  const std::lock_guard lock(mutex_);
  for (const SeenRequest& request : requests_) {
    for (const std::string& secret : secrets) {
      if (request.head.find(secret) != std::string::npos || request.body.find(secret) != std::string::npos) return true;
    }
  }
  return false;
}

std::vector<std::string> HostileRegistry::secrets() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> result = issued_;
  result.push_back(options_.password);
  result.push_back(base64(options_.user + ":" + options_.password));
  return result;
}

void HostileRegistry::wait_until_left() const {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (open_.empty()) return;
    }
    std::this_thread::yield();
  }
}

int HostileRegistry::tokens_issued() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(issued_.size());
}

void HostileRegistry::accept_token(const std::string& token) {
  const std::lock_guard lock(mutex_);
  issued_.push_back(token);
  tokens_.insert(token);
}

void HostileRegistry::expire_tokens() {
  const std::lock_guard lock(mutex_);
  tokens_.clear();
}

void HostileRegistry::accept_all() {
  while (!stopping_) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ++connections_;
    const std::lock_guard lock(mutex_);
    open_.insert(fd);
    threads_.emplace_back([this, fd] {
      serve_connection(fd);
      const std::lock_guard end(mutex_);
      open_.erase(fd);
      ::close(fd);
    });
  }
}

void HostileRegistry::serve_connection(int fd) {
  std::string buffer;
  char piece[65536];
  const auto receive = [&] {
    const ssize_t got = ::recv(fd, piece, sizeof piece, 0);
    if (got <= 0) return false;
    buffer.append(piece, static_cast<std::size_t>(got));
    return true;
  };
  while (!stopping_) {
    std::size_t end;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
      constexpr char kTlsHandshake = 0x16;
      if (buffer.starts_with(kTlsHandshake)) {
        if (options_.answers_tls_in_plain) send_all(fd, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      if (buffer.size() > 1'000'000 || !receive()) return;
    }
    SeenRequest request;
    request.head = buffer.substr(0, end);
    buffer.erase(0, end + 4);
    const auto words = split(std::string_view(request.head).substr(0, request.head.find('\r')), ' ');
    if (words.size() != 3) {
      send_all(fd, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    request.method = words[0];
    request.path = decoded(words[1].substr(0, words[1].find('?')));
    if (const std::size_t question = words[1].find('?'); question != std::string_view::npos)
      request.query = words[1].substr(question + 1);

    Reaction reaction;
    std::size_t index;
    {
      const std::lock_guard lock(mutex_);
      index = requests_.size();
      requests_.push_back(request);
      if (script_) reaction = script_(request, static_cast<int>(requests_.size()) - 1);
    }
    using Kind = Reaction::Kind;
    const std::uint64_t length = parse_unsigned(request.header("Content-Length")).value_or(0);
    if (reaction.kind == Kind::serve && options_.largest_request != 0 && length > options_.largest_request) {
      reaction.kind = Kind::answer_early;
      reaction.answer = error(413, "SIZE_INVALID");
    }
    if (reaction.kind == Kind::answer_early) {
      send_all(fd, head_of(reaction.answer, reaction.answer.body.size()) + reaction.answer.body);
      ::shutdown(fd, SHUT_WR);
      while (receive()) buffer.clear();
      return;
    }
    if (request.header("Expect") == "100-continue") send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    const bool midway = reaction.kind == Kind::reset_midway || reaction.kind == Kind::keep_and_reset ||
                        reaction.kind == Kind::stop_reading;
    const std::uint64_t wanted = midway ? std::min<std::uint64_t>(length, reaction.bytes) : length;
    while (buffer.size() < wanted) {
      if (!receive()) return;
    }
    request.body = buffer.substr(0, wanted);
    buffer.erase(0, wanted);
    if (request.path.find("/blobs/") != std::string::npos) blob_bytes_received_ += request.body.size();
    {
      const std::lock_guard lock(mutex_);
      if (request.body.size() < 65536) requests_[index].body = request.body;
    }
    if (reaction.kind == Kind::keep_and_reset) {
      const std::lock_guard lock(mutex_);
      uploads_[request.path.substr(request.path.rfind('/') + 1)] += request.body;
    }
    if (reaction.kind == Kind::stop_reading) {
      std::unique_lock lock(mutex_);
      ended_.wait(lock, [&] { return stopping_.load(); });
      return;
    }
    if (reaction.kind == Kind::reset || midway) return break_connection(fd);

    Answer answer = reaction.answer;
    if (reaction.kind != Kind::answer && reaction.kind != Kind::drip && reaction.kind != Kind::endless)
      answer = serve(request);
    if (reaction.kind == Kind::serve_then_reset) return break_connection(fd);
    if (reaction.kind == Kind::endless) {
      send_all(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const std::string chunk = "10000\r\n" + std::string(65536, 'x') + "\r\n";
      while (!stopping_ && send_all(fd, chunk)) {
      }
      return;
    }
    std::string_view body = request.method == "HEAD" ? std::string_view{} : std::string_view(answer.body);
    const bool cut = reaction.kind == Kind::truncate || reaction.kind == Kind::stall;
    if (cut) body = body.substr(0, reaction.bytes);
    if (reaction.kind == Kind::drip) {
      if (!send_all(fd, head_of(answer, answer.body.size()))) return;
      for (; !body.empty(); body.remove_prefix(1)) {
        std::unique_lock lock(mutex_);
        if (ended_.wait_for(lock, std::chrono::milliseconds(20), [&] { return stopping_.load(); })) return;
        lock.unlock();
        if (!send_all(fd, body.substr(0, 1))) return;
      }
      continue;
    }
    if (!send_all(fd, head_of(answer, answer.body.size())) || !send_all(fd, body)) return;
    if (reaction.kind == Kind::stall) {
      std::unique_lock lock(mutex_);
      ended_.wait(lock, [&] { return stopping_.load(); });
    }
    if (cut) return;
  }
}

std::string HostileRegistry::location(const std::string& path) const {
  return options_.absolute_locations ? "http://" + authority() + path : path;
}

std::optional<Answer> HostileRegistry::refuse_unknown_caller(const SeenRequest& request) {
  if (options_.auth == HostileOptions::Auth::none) return std::nullopt;
  const std::string given = request.header("Authorization");
  Answer refusal = error(401, "UNAUTHORIZED", "authentication required");
  if (options_.auth == HostileOptions::Auth::basic) {
    if (given == "Basic " + base64(options_.user + ":" + options_.password)) return std::nullopt;
    refusal.headers.emplace_back("WWW-Authenticate", "Basic realm=\"hostile\"");
    return refusal;
  }
  if (given.starts_with("Bearer ") && tokens_.contains(given.substr(7))) return std::nullopt;
  const std::string realm = options_.realm.empty() ? "http://" + authority() + "/token" : options_.realm;
  refusal.headers.emplace_back("WWW-Authenticate", fmt::format("Bearer realm=\"{}\",service=\"hostile\"", realm));
  return refusal;
}

Answer HostileRegistry::serve_token(const SeenRequest& request) {
  const bool by_password =
      request.header("Authorization") == "Basic " + base64(options_.user + ":" + options_.password);
  const bool by_identity = request.method == "POST" && parameter(request.body, "refresh_token") == options_.password &&
                           parameter(request.body, "grant_type") == "refresh_token";
  if (!by_password && !by_identity) return error(401, "UNAUTHORIZED", "wrong user or password");
  const std::string token = fmt::format("canary-token-{}-{}", port_, issued_.size());
  issued_.push_back(token);
  tokens_.insert(token);
  return {
      200,
      {{"Content-Type", "application/json"}},
      json{{by_identity ? "access_token" : "token", token}, {"expires_in", options_.token_lifetime_seconds}}.dump()};
}

Answer HostileRegistry::serve(const SeenRequest& request) {
  const std::lock_guard lock(mutex_);
  if (request.path == "/token") return serve_token(request);
  if (options_.packages_api && request.path.starts_with("/api/v3/")) return serve_packages(request);
  if (auto refusal = refuse_unknown_caller(request)) return *refusal;
  if (request.path == "/v2/" || request.path == "/v2") return {200, {}, "{}"};
  if (!request.path.starts_with("/v2/")) return error(404, "UNSUPPORTED");
  const std::string rest = request.path.substr(4);
  const auto cut = [&](std::string_view word) -> std::optional<std::pair<std::string, std::string>> {
    const std::size_t at = rest.rfind(word);
    if (at == std::string::npos) return std::nullopt;
    return std::pair(rest.substr(0, at), rest.substr(at + word.size()));
  };
  if (const auto parts = cut("/blobs/uploads/")) return serve_upload(request, parts->first, parts->second);
  if (const auto parts = cut("/blobs/")) return serve_blob(request, repositories_[parts->first], parts->second);
  if (const auto parts = cut("/manifests/"))
    return serve_manifest(request, repositories_[parts->first], parts->first, parts->second);
  if (const auto parts = cut("/tags/list")) return serve_tags(request, parts->first);
  if (rest == "_catalog") {
    json names = json::array();
    for (const auto& [name, repository] : repositories_) names.push_back(name);
    return {200, {{"Content-Type", "application/json"}}, json{{"repositories", names}}.dump()};
  }
  if (const auto parts = cut("/referrers/"); parts && options_.referrers_api) {
    return serve_referrers(request, parts->first, parts->second);
  }
  return {404, {{"Content-Type", "text/plain"}}, "404 page not found"};
}

Answer HostileRegistry::serve_manifest(const SeenRequest& request, Repository& repository, const std::string& name,
                                       const std::string& key) {
  if (request.method == "PUT") {
    const json document = json::parse(request.body);
    if (options_.refuses_subjects && (document.contains("subject") || document.contains("artifactType")))
      return error(400, "MANIFEST_INVALID", "unknown member");
    json blobs = document.value("layers", json::array());
    if (document.contains("config")) blobs.push_back(document["config"]);
    for (const auto& blob : blobs) {
      if (!repository.blobs.contains(blob.at("digest").get<std::string>())) {
        return error(404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
      }
    }
    const std::string digest = oci::sha256_of(request.body).str();
    repository.manifests[digest] = {request.header("Content-Type"), request.body};
    if (key.find(':') == std::string::npos) repository.tags[key] = digest;
    Answer answer{
        201, {{"Docker-Content-Digest", digest}, {"Location", location("/v2/" + name + "/manifests/" + digest)}}, ""};
    if (options_.referrers_api && document.contains("subject")) {
      answer.headers.emplace_back("OCI-Subject", document["subject"].at("digest").get<std::string>());
    }
    return answer;
  }
  const std::string digest = repository.tags.contains(key) ? repository.tags[key] : key;
  const auto found = repository.manifests.find(digest);
  if (found == repository.manifests.end()) return error(404, "MANIFEST_UNKNOWN");
  if (request.method == "DELETE") {
    if (!options_.deletes) return error(405, "UNSUPPORTED");
    std::erase_if(repository.tags, [&](const auto& entry) { return entry.second == digest; });
    repository.manifests.erase(found);
    return {202, {}, ""};
  }
  return {200, {{"Content-Type", found->second.first}, {"Docker-Content-Digest", digest}}, found->second.second};
}

Answer HostileRegistry::serve_blob(const SeenRequest& request, Repository& repository, const std::string& digest) {
  if (!repository.blobs.contains(digest)) return error(404, "BLOB_UNKNOWN");
  if (request.method == "DELETE") {
    if (!options_.deletes) return error(405, "UNSUPPORTED");
    repository.blobs.erase(digest);
    return {202, {}, ""};
  }
  const std::string& bytes = blobs_.at(digest);
  Answer answer{200, {{"Content-Type", "application/octet-stream"}, {"Docker-Content-Digest", digest}}, bytes};
  const std::string range = request.header("Range");
  if (range.starts_with("bytes=")) {
    const auto parts = split(std::string_view(range).substr(6), '-');
    const std::size_t from = parse_unsigned(parts[0]).value_or(0);
    const std::size_t to = std::min<std::size_t>(parse_unsigned(parts[1]).value_or(bytes.size() - 1), bytes.size() - 1);
    answer.status = 206;
    answer.body = bytes.substr(from, to - from + 1);
    answer.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", from, to, bytes.size()));
  }
  return answer;
}

Answer HostileRegistry::serve_upload(const SeenRequest& request, const std::string& name, const std::string& id) {
  const auto progress = [&](int status, const std::string& upload) {
    const std::size_t size = uploads_[upload].size();
    return Answer{status,
                  {{"Location", location(fmt::format("/v2/{}/blobs/uploads/{}?_state=secret-{}", name, upload, size))},
                   {"Range", fmt::format("0-{}", size == 0 ? 0 : size - 1)}},
                  ""};
  };
  if (request.method == "POST") {
    const std::string digest = parameter(request.query, "mount");
    const std::string from = parameter(request.query, "from");
    if (!digest.empty() && options_.mounts && repositories_[from].blobs.contains(digest)) {
      repositories_[name].blobs.insert(digest);
      return {201, {{"Docker-Content-Digest", digest}, {"Location", location("/v2/" + name + "/blobs/" + digest)}}, ""};
    }
    const std::string upload = fmt::format("u{}", next_upload_++);
    uploads_[upload];
    Answer answer = progress(202, upload);
    if (options_.chunk_min_length != 0) {
      answer.headers.emplace_back("OCI-Chunk-Min-Length", std::to_string(options_.chunk_min_length));
    }
    return answer;
  }
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return error(404, "BLOB_UPLOAD_UNKNOWN");
  if (!request.query.starts_with("_state=secret-")) return error(400, "BLOB_UPLOAD_INVALID", "the query is gone");
  if (request.method == "GET") return progress(204, id);
  if (request.method == "DELETE") {
    uploads_.erase(found);
    return {204, {}, ""};
  }
  const std::string range = request.header("Content-Range");
  if (!range.empty() && parse_unsigned(range.substr(0, range.find('-'))) != found->second.size())
    return progress(416, id);
  found->second += request.body;
  if (request.method == "PATCH") return progress(202, id);
  const std::string digest = parameter(request.query, "digest");
  const std::string bytes = std::move(found->second);
  uploads_.erase(found);
  if (oci::sha256_of(bytes).str() != digest) return error(400, "DIGEST_INVALID");
  blobs_[digest] = bytes;
  repositories_[name].blobs.insert(digest);
  return {201, {{"Docker-Content-Digest", digest}, {"Location", location("/v2/" + name + "/blobs/" + digest)}}, ""};
}

Answer HostileRegistry::serve_tags(const SeenRequest& request, const std::string& name) {
  if (!repositories_.contains(name)) return error(404, "NAME_UNKNOWN");
  const std::string last = parameter(request.query, "last");
  std::size_t size = parse_unsigned(parameter(request.query, "n")).value_or(100);
  if (options_.tags_per_page != 0) size = std::min(size, options_.tags_per_page);
  json tags = json::array();
  const auto& all = repositories_[name].tags;
  auto next = last.empty() ? all.begin() : all.upper_bound(last);
  for (; next != all.end() && tags.size() < size; ++next) tags.push_back(next->first);
  Answer answer{200, {{"Content-Type", "application/json"}}, json{{"name", name}, {"tags", tags}}.dump()};
  if (next != all.end()) {
    answer.headers.emplace_back(
        "Link", fmt::format("<{}>; rel=\"next\"", location(fmt::format("/v2/{}/tags/list?n={}&last={}", name, size,
                                                                       tags.back().get<std::string>()))));
  }
  return answer;
}

Answer HostileRegistry::serve_referrers(const SeenRequest& request, const std::string& name,
                                        const std::string& subject) {
  const std::string last = parameter(request.query, "last");
  const std::size_t size = options_.referrers_per_page == 0 ? SIZE_MAX : options_.referrers_per_page;
  json manifests = json::array();
  bool has_more = false;
  for (const auto& [digest, entry] : repositories_[name].manifests) {
    const json document = json::parse(entry.second);
    if (!document.contains("subject") || document["subject"].value("digest", "") != subject) continue;
    if (!last.empty() && digest <= last) continue;
    has_more = manifests.size() == size;
    if (has_more) break;
    json listed = {{"mediaType", entry.first},
                   {"digest", digest},
                   {"size", entry.second.size()},
                   {"artifactType", document.value("artifactType", "")}};
    if (document.contains("annotations")) listed["annotations"] = document["annotations"];
    manifests.push_back(std::move(listed));
  }
  const std::string type = "application/vnd.oci.image.index.v1+json";
  Answer answer{
      200, {{"Content-Type", type}}, json{{"schemaVersion", 2}, {"mediaType", type}, {"manifests", manifests}}.dump()};
  if (has_more) {
    answer.headers.emplace_back(
        "Link", fmt::format("<{}>; rel=\"next\"", location(fmt::format("/v2/{}/referrers/{}?last={}", name, subject,
                                                                       manifests.back().value("digest", "")))));
  }
  return answer;
}

}  // namespace kiln::test
