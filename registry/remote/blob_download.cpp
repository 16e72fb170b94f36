#include <fmt/format.h>

#include <thread>

#include "base/text.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/registry_transport.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kProgressBytes = std::uint64_t{64} << 10;  // less than this between two faults is none

void check_algorithm(const oci::Descriptor& blob) {
  if (blob.digest.algorithm() == "sha256") return;
  throw Error(
      Category::network,
      fmt::format("blob '{}': layers and configs are read by sha256 digests alone; push the image anew with those",
                  blob.digest.str()));
}

// Where "bytes 100-199/200" begins, if the total agrees.
std::optional<std::uint64_t> range_start(const HttpHeaders& headers, std::uint64_t total) {
  const std::string field = headers.find("Content-Range").value_or("");
  std::string_view range = trim(field);
  if (!range.starts_with("bytes ")) return std::nullopt;
  range = trim(range.substr(6));
  const std::size_t dash = range.find('-');
  const std::size_t slash = range.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const std::string_view whole = range.substr(slash + 1);
  if (whole != "*" && parse_unsigned(whole) != total) return std::nullopt;
  return parse_unsigned(range.substr(0, dash));
}

class StoredBlob : public UploadSource {
 public:
  StoredBlob(const ContentStore& store, const oci::Descriptor& blob)
      : file_(std::make_shared<Fd>(store.open(blob.digest))), name_(store.path_of(blob.digest).native()) {}
  std::shared_ptr<RequestBody> open(std::uint64_t offset, std::uint64_t size) override {
    return file_body(file_, offset, size, name_);
  }

 private:
  std::shared_ptr<Fd> file_;
  std::string name_;
};

// Downloads on a thread of its own while the bytes are uploaded. The last piece is held back until the digest
// of the whole is known to be right.
class RemoteBlob : public UploadSource {
 public:
  RemoteBlob(RegistryClient from, std::string repository, const oci::Descriptor& blob)
      : from_(std::move(from)), repository_(std::move(repository)), blob_(blob) {}
  ~RemoteBlob() override { stop(); }

  std::shared_ptr<RequestBody> open(std::uint64_t offset, std::uint64_t size) override {
    stop();
    pipe_ = std::make_shared<PipeBody>(size);
    thread_ = std::thread([this, pipe = pipe_, offset, size] { run(*pipe, offset, size); });
    return pipe_;
  }

 private:
  struct ReaderGone {};

  void run(PipeBody& pipe, std::uint64_t offset, std::uint64_t size) {
    oci::Sha256 hash;
    const bool whole = offset == 0 && size == blob_.size;
    std::uint64_t left = size;
    std::string held;
    try {
      from_.stream_blob(repository_, blob_, offset, [&](std::string_view bytes) {
        bytes = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left)));
        if (whole) hash.update(bytes);
        left -= bytes.size();
        if (!held.empty() && !pipe.write(held)) throw ReaderGone{};
        held = bytes;
        if (left == 0 && !whole) {
          pipe.write(held);
          throw ReaderGone{};
        }
      });
      if (whole && hash.finish() != blob_.digest) {
        pipe.fail(Error(Category::network, fmt::format("blob '{}': '{}/{}' sent other bytes than that digest's",
                                                       blob_.digest.str(), from_.endpoint().authority, repository_)));
        return;
      }
      pipe.write(held);
    } catch (const Error& error) {
      pipe.fail(error);
    } catch (const ReaderGone&) {
    }
  }

  void stop() {
    if (pipe_) pipe_->close_reader();
    if (thread_.joinable()) thread_.join();
  }

  RegistryClient from_;
  std::string repository_;
  oci::Descriptor blob_;
  std::shared_ptr<PipeBody> pipe_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<UploadSource> stored_blob(const ContentStore& store, const oci::Descriptor& blob) {
  const auto size = store.size_of(blob.digest);
  if (size && *size != blob.size) {
    throw Error(Category::machine,
                fmt::format("blob '{}': expected {} bytes, the store has {}; run 'kiln cache verify'",
                            blob.digest.str(), blob.size, *size));
  }
  return std::make_unique<StoredBlob>(store, blob);
}

std::unique_ptr<UploadSource> remote_blob(RegistryClient from, std::string repository, const oci::Descriptor& blob) {
  return std::make_unique<RemoteBlob>(std::move(from), std::move(repository), blob);
}

void RegistryClient::stream_blob(const std::string& repository, const oci::Descriptor& blob, std::uint64_t offset,
                                 const std::function<void(std::string_view)>& sink) {
  check_algorithm(blob);
  const auto wrong_size = [&](std::string_view got) {
    return Error(Category::network, fmt::format("blob '{}' of '{}/{}': expected {} bytes, got {}", blob.digest.str(),
                                                endpoint().authority, repository, blob.size, got));
  };
  // A foreign layer's registry may not have it; then its manifest says who does.
  std::optional<Url> elsewhere;
  std::size_t tried_urls = 0;
  const auto refuse = [&](const RegistryAnswer& answer) {
    if (!oci::media_type::is_foreign_layer(blob.media_type)) transport_->refuse(answer, repository);
    with_context(
        [&] {
          return blob.urls.empty()
                     ? "the layer is of a kind that registries do not keep, and no url says who has it"
                     : "the layer is of a kind that registries do not keep, and its urls do not lead to it";
        },
        [&] { transport_->refuse(answer, repository); });
  };
  RetryLoop retries(transport_->pace());
  std::uint64_t at = offset;
  std::uint64_t at_last_fault = offset;
  do {
    std::uint64_t skip = 0;
    bool wrong_range = false;
    RegistryRequest request;
    request.path = "/v2/" + repository + "/blobs/" + blob.digest.str();
    request.url = elsewhere;
    request.repository = repository;
    request.scope = Scope::pull(repository);
    request.retrying = Retrying::no;
    if (at > 0) request.headers.add("Range", fmt::format("bytes={}-", at));
    request.max_streamed_bytes = blob.size;  // all of it, where the registry knows no ranges
    request.wants_body = [&](int status, const HttpHeaders& headers) {
      if (status == 200) skip = at;
      if (status == 206 && range_start(headers, blob.size) != at) wrong_range = true;
      return (status == 200 || status == 206) && !wrong_range;
    };
    request.on_body = [&](std::string_view bytes) {
      session_->stats().pulled_bytes += bytes.size();
      const std::size_t skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip, bytes.size()));
      skip -= skipped;
      bytes.remove_prefix(skipped);
      if (bytes.size() > blob.size - at) throw wrong_size("more");
      at += bytes.size();
      if (!bytes.empty()) sink(bytes);
    };
    const auto note_progress = [&] {
      if (at - at_last_fault >= kProgressBytes) retries.progressed();
      at_last_fault = at;
    };
    try {
      const RegistryAnswer answer = transport_->send(request);
      if (wrong_range) {
        throw Error(Category::network,
                    fmt::format("blob '{}' of '{}/{}': asked for bytes from {} on, the registry sent others",
                                blob.digest.str(), endpoint().authority, repository, at));
      }
      if (answer.response.status != 200 && answer.response.status != 206) {
        note_progress();
        if (answer.response.status == 404 && tried_urls < blob.urls.size()) {
          elsewhere = transport_->follow(answer.url, blob.urls[tried_urls++]);
        } else if (!retries.again(answer.response)) {
          refuse(answer);
        }
      } else if (at < blob.size) {
        note_progress();
        const TransportError truncated(TransportFault::truncated, wrong_size(std::to_string(at)).message(), 0, at);
        if (!retries.again(truncated)) throw truncated;
      }
    } catch (const TransportError& error) {
      if (error.fault() == TransportFault::too_large) throw wrong_size("more");
      if (at == blob.size && blob.size > 0) return;
      note_progress();
      if (!retries.again(error)) throw;
    }
  } while (at < blob.size);
}

void RegistryClient::download_blob(const std::string& repository, const oci::Descriptor& blob, ContentStore& store,
                                   Durability durability, const ByteProgress& progress, WriteBehind::Pages pages) {
  check_algorithm(blob);
  store.lease(blob.digest);
  if (store.has(blob.digest)) return;
  for (int attempt = 0;; ++attempt) {
    BlobWriter writer = store.begin_blob(pages);
    stream_blob(repository, blob, 0, [&](std::string_view bytes) {
      writer.write(bytes);
      if (progress) progress(writer.size());
    });
    try {
      writer.commit(blob.digest, durability);
      return;
    } catch (const Error& error) {
      if (error.category() != Category::network || attempt > 0) throw;
      session_->log().warn(
          fmt::format("{}; fetching it from '{}/{}' once more", error.message(), endpoint().authority, repository));
    }
  }
}

std::string RegistryClient::fetch_blob_bytes(const std::string& repository, const oci::Descriptor& blob,
                                             std::uint64_t max_bytes) {
  if (blob.size > max_bytes) {
    throw Error(Category::network,
                fmt::format("blob '{}' of '{}/{}': {} bytes, more than the {} allowed", blob.digest.str(),
                            endpoint().authority, repository, blob.size, max_bytes));
  }
  std::string bytes;
  for (int attempt = 0;; ++attempt) {
    bytes.clear();
    stream_blob(repository, blob, 0, [&](std::string_view piece) { bytes += piece; });
    const oci::Digest digest = oci::sha256_of(bytes);
    if (digest == blob.digest) return bytes;
    if (attempt > 0) {
      throw Error(Category::network, fmt::format("blob of '{}/{}': expected digest {}, its bytes have {}",
                                                 endpoint().authority, repository, blob.digest.str(), digest.str()));
    }
  }
}

}  // namespace kiln
