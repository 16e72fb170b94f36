#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/temp_dir.hpp"
#include "builder/steps/context_source.hpp"
#include "builder/steps/source_secrets.hpp"
#include "registry/remote/http.hpp"

namespace kiln {

// Files that ADD fetched from elsewhere into a folder of their own, which goes with the object.
class FetchedSource : public ContextSource {
 public:
  // `shown` is the folder or one inside of it.
  FetchedSource(TempDir folder, const fs::path& shown, ThreadPool& pool, CancelToken cancel, std::string description);

 private:
  TempDir folder_;
};

// The name a URL's file gets in a folder: the last component of its path, or "__unnamed__".
std::string file_name_of_url(std::string_view url);

// A URL for messages: without user name, password and query.
std::string shown_url(std::string_view url);

// What is fetched at most, as it comes and decoded.
inline constexpr std::uint64_t kMaxFetchedBytes = std::uint64_t{64} << 30;

// Downloads the file behind an http or https URL, redirects followed, to a place where nothing is, and sets its time to
// what Last-Modified says, else 1970. What the server sent as Content-Encoding: gzip is decoded. A secret for the host,
// else the URL's user name and password, authorise the request. Returns the file's digest. Errors as below.
oci::Digest download_url(HttpClient& http, const std::string& url, const std::string& checksum,
                         const SourceSecrets& secrets, const fs::path& place, const CancelToken& cancel,
                         std::uint64_t most_bytes = kMaxFetchedBytes);

// Downloads the file behind an http or https URL into `work`. Its mode is 0600 and its time that of
// Last-Modified, else 1970, as BuildKit has them. `checksum` ("sha256:..." or empty) is what it must have.
// Error{network} for what is not there or has another checksum, Error{usage} for a checksum that is none.
std::shared_ptr<FetchedSource> fetch_url(HttpClient& http, const std::string& url, const std::string& checksum,
                                         const SourceSecrets& secrets, const fs::path& work, ThreadPool& pool,
                                         const CancelToken& cancel);

}  // namespace kiln
