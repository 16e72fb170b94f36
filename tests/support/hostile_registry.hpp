#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace kiln::test {

struct SeenRequest {
  std::string method;
  std::string path;
  std::string query;
  std::string head;  // request line and header fields as they came
  std::string body;

  std::string header(std::string_view name) const;
  bool is(std::string_view wanted_method, std::string_view path_part) const {
    return method == wanted_method && path.find(path_part) != std::string::npos;
  }
};

struct Answer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// What a script makes of a request.
struct Reaction {
  enum class Kind {
    serve,             // behave
    answer,            // `answer` in place of what it would do
    answer_early,      // the same before the request's body is read, then hang up
    reset,             // read the request, break the connection
    reset_midway,      // break it after `bytes` of the request's body
    keep_and_reset,    // read `bytes` of the body, keep them for the upload, break the connection
    serve_then_reset,  // do what was asked, then break the connection without an answer
    truncate,          // serve, but hang up after `bytes` of the answer's body
    stop_reading,      // read `bytes` of the request's body, then neither read nor answer until the registry ends
    stall,             // serve `bytes` of the answer's body, then send nothing until the registry ends
    drip,              // answer `answer`, its body byte by byte, 20 ms apart
    endless,           // answer 200 with a body that never ends
  };
  Kind kind = Kind::serve;
  Answer answer = {};
  std::size_t bytes = 0;
};

struct HostileOptions {
  enum class Auth { none, basic, token } auth = Auth::none;
  std::string user = "tester";
  std::string password = "canary-7f3a91";
  std::string realm;  // empty: its own /token
  int token_lifetime_seconds = 300;
  bool mounts = true;
  bool referrers_api = false;
  std::size_t referrers_per_page = 0;  // 0: all in one
  bool refuses_subjects = false;       // 400 for a manifest with a member of OCI 1.1
  bool deletes = true;
  bool absolute_locations = false;
  std::uint64_t chunk_min_length = 0;  // OCI-Chunk-Min-Length of uploads
  std::uint64_t largest_request = 0;   // 413 above; 0: none
  std::size_t tags_per_page = 0;       // 0: what the client asks for
  bool packages_api = false;           // GitHub's packages REST API below /api/v3, with `password` as token
  std::size_t versions_per_page = 100;
  bool answers_tls_in_plain = false;      // what begins with a TLS handshake is answered by plain http, else hung up on
  std::set<std::string> much_downloaded;  // digests whose versions GitHub would not delete
};

// A registry of our own on a free port of 127.0.0.1: it does what distribution-spec says, unless a script
// tells it otherwise, and remembers every request. Thread-safe; everything ends with the object.
class HostileRegistry {
 public:
  explicit HostileRegistry(HostileOptions options = {});
  ~HostileRegistry();
  HostileRegistry(const HostileRegistry&) = delete;
  HostileRegistry& operator=(const HostileRegistry&) = delete;

  std::string authority() const;  // 127.0.0.1:PORT
  std::uint16_t port() const { return port_; }
  HostileOptions& options() { return options_; }

  // Called for every request, with its number from 0 on; called under the registry's lock.
  void script(std::function<Reaction(const SeenRequest&, int)> script);

  // Contents.
  std::string add_blob(const std::string& repository, const std::string& bytes);  // its digest
  std::string add_manifest(const std::string& repository, const std::string& tag, const std::string& bytes,
                           const std::string& media_type);
  // When the packages API says that a manifest came; 2026-01-01 where nothing was said.
  void set_created(const std::string& digest, const std::string& rfc3339);
  bool has_manifest(const std::string& repository, const std::string& digest) const;
  void drop_blob(const std::string& repository, const std::string& digest);
  std::optional<std::string> tag(const std::string& repository, const std::string& tag) const;
  bool has_blob(const std::string& repository, const std::string& digest) const;
  // Tags that name an image some part of which is not there, or not what its digest says.
  std::vector<std::string> broken_tags() const;

  std::vector<SeenRequest> requests() const;
  int count(std::string_view method, std::string_view path_part) const;
  std::uint64_t blob_bytes_received() const { return blob_bytes_received_; }
  int connections() const { return connections_; }
  // Waits until no client is connected and what they sent is dealt with.
  void wait_until_left() const;
  // Whether any request that came here holds one of the secrets, in the clear or as basic credentials.
  bool saw_secret(const std::vector<std::string>& secrets) const;
  // What must be seen by no other host: the password and every token that was issued.
  std::vector<std::string> secrets() const;
  int tokens_issued() const;
  // A token that a script hands out; a secret like those that were issued.
  void accept_token(const std::string& token);
  void expire_tokens();

 private:
  struct Repository {
    std::set<std::string> blobs;
    std::map<std::string, std::pair<std::string, std::string>> manifests;  // digest -> media type, bytes
    std::map<std::string, std::string> tags;                               // tag -> digest
  };
  struct Connection;

  void accept_all();
  void serve_connection(int fd);
  Answer serve(const SeenRequest& request);
  std::optional<Answer> refuse_unknown_caller(const SeenRequest& request);
  Answer serve_token(const SeenRequest& request);
  Answer serve_manifest(const SeenRequest& request, Repository& repository, const std::string& name,
                        const std::string& key);
  Answer serve_blob(const SeenRequest& request, Repository& repository, const std::string& digest);
  Answer serve_upload(const SeenRequest& request, const std::string& name, const std::string& id);
  Answer serve_tags(const SeenRequest& request, const std::string& name);
  Answer serve_packages(const SeenRequest& request);  // hostile_packages.cpp
  std::uint64_t version_of(const std::string& repository, const std::string& digest);
  std::string version_json(const std::string& name, const std::string& digest);
  Answer serve_referrers(const SeenRequest& request, const std::string& name, const std::string& subject);
  std::string location(const std::string& path) const;

  HostileOptions options_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> blob_bytes_received_{0};
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::function<Reaction(const SeenRequest&, int)> script_;
  std::vector<SeenRequest> requests_;
  std::map<std::string, Repository> repositories_;
  std::map<std::string, std::string> blobs_;    // digest -> bytes
  std::map<std::string, std::string> uploads_;  // id -> bytes
  int next_upload_ = 0;
  std::vector<std::pair<std::string, std::string>> versions_;  // repository, digest; the ID is 1000 + the index
  std::map<std::string, std::string> created_;                 // by digest
  std::set<std::string> tokens_;
  std::vector<std::string> issued_;
  std::set<int> open_;
  std::vector<std::thread> threads_;
};

}  // namespace kiln::test
