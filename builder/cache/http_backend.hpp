#pragma once

#include <atomic>
#include <string>

#include "builder/cache/cache_backend.hpp"
#include "builder/cache/cache_prune.hpp"
#include "registry/remote/url.hpp"

namespace kiln {

// The REST protocol of Bazel's remote cache, as bazel-remote serves it and as nginx does with its DAV module:
//
//   URL/ac/KEY    an action result in JSON (build/bazel/remote/execution/v2, proto3 JSON):
//                   {"outputFiles": [{"path": "blobs/sha256/HEX", "digest": {"hash": HEX, "sizeBytes": "N"}}, ...],
//                    "stdoutRaw": BASE64 of the entry (cache_entry.hpp)}
//                 so that a server that checks that an action's outputs are there (bazel-remote) does so for an entry's
//                 blobs
//   URL/cas/HEX   a blob
//
// Blobs are put before the action result that names them. An action result is trusted after a HEAD of each blob (but
// for those of a cache mount). Credentials are those of the host in docker's config.json, sent as basic
// authentication, over http to loopback only.
class HttpBackend : public CacheBackend, public PrunableCache {
 public:
  // Borrows the session.
  HttpBackend(const std::string& url, RemoteSession& session);

  const std::string& name() const override { return name_; }
  std::vector<CacheFinding> find(std::span<const std::string> keys) override;
  void put(const CacheEntry& entry) override;
  bool remove(const CacheEntry& entry) override;
  bool has_blob(const oci::Descriptor& blob) override;
  bool get_blob(const oci::Descriptor& blob, ContentStore& store) override;
  bool put_blob(const oci::Descriptor& blob, const ContentStore& store,
                std::span<const RemoteRepository> elsewhere) override;

  // As nginx lists folders with "autoindex on" and "autoindex_format json", and deletes with "dav_methods DELETE".
  // Error{network}, with these words, of a server that does not; bazel-remote bounds itself (--max_size). Times are
  // those of writing.
  CacheHoldings holdings() override;
  bool remove(const HeldEntry& entry) override;
  bool remove(const HeldBlob& blob) override;

 private:
  HttpRequest request(HttpMethod method, std::string_view kind, std::string_view hex) const;
  HttpResponse send(const HttpRequest& request);
  CacheFinding find_one(const std::string& key);
  std::vector<HeldBlob> listed(std::string_view kind);
  bool remove_file(std::string_view kind, const std::string& name);

  Url url_;  // its path ends without '/'
  RemoteSession& session_;
  std::string name_;
  std::string authorization_;
  DamagedBlobs damaged_;
  std::atomic<bool> refuses_delete_{false};
};

}  // namespace kiln
