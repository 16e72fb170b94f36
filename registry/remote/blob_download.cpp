#include "registry/remote/blob_download.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kProgressBytes = std::uint64_t{64} << 10;  // less than this between two faults is none

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

}  // namespace

BlobDownload::BlobDownload(RemoteSession& session, RegistryTransport& transport, const std::string& repository,
                           const oci::Descriptor& blob)
    : session_(session), transport_(transport), repository_(repository), blob_(blob) {
  if (blob.digest.algorithm() == "sha256") return;
  throw Error(
      Category::network,
      fmt::format("blob '{}': layers and configs are read by sha256 digests alone; push the image anew with those",
                  blob.digest.str()));
}

std::string BlobDownload::shown_repository() const { return transport_.endpoint().authority + "/" + repository_; }

Error BlobDownload::wrong_size(std::string_view got) const {
  return Error(Category::network, fmt::format("blob '{}' of '{}': expected {} bytes, got {}", blob_.digest.str(),
                                              shown_repository(), blob_.size, got));
}

void BlobDownload::refuse(const RegistryAnswer& answer) {
  try {
    transport_.refuse(answer, repository_);
  } catch (Error& error) {
    if (oci::media_type::is_foreign_layer(blob_.media_type)) {
      error.add_context(blob_.urls.empty()
                            ? "the layer is of a kind that registries do not keep, and no url says who has it"
                            : "the layer is of a kind that registries do not keep, and its urls do not lead to it");
    }
    throw;
  }
}

std::optional<RegistryAnswer> BlobDownload::stream(std::uint64_t offset, const BodySink& sink) {
  // A foreign layer's registry may not have it; then its manifest says who does.
  std::optional<Url> elsewhere;
  std::size_t tried_urls = 0;
  RetryLoop retries(transport_.pace());
  std::uint64_t at = offset;
  std::uint64_t at_last_fault = offset;
  do {
    std::uint64_t skip = 0;
    bool wrong_range = false;
    RegistryRequest request;
    request.path = "/v2/" + repository_ + "/blobs/" + blob_.digest.str();
    request.url = elsewhere;
    request.anonymous = elsewhere.has_value();
    request.repository = repository_;
    request.scope = Scope::pull(repository_);
    request.retrying = Retrying::no;
    if (at > 0) request.headers.add("Range", fmt::format("bytes={}-", at));
    request.max_streamed_bytes = blob_.size;  // all of it, where the registry knows no ranges
    request.wants_body = [&](int status, const HttpHeaders& headers) {
      if (status == 200) skip = at;
      if (status == 206 && range_start(headers, blob_.size) != at) wrong_range = true;
      return (status == 200 || status == 206) && !wrong_range;
    };
    request.on_body = [&](std::string_view bytes) {
      session_.stats().pulled_bytes += bytes.size();
      const std::size_t skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip, bytes.size()));
      skip -= skipped;
      bytes.remove_prefix(skipped);
      if (bytes.size() > blob_.size - at) throw wrong_size("more");
      at += bytes.size();
      return bytes.empty() ? AfterPiece::go_on : sink(bytes);
    };
    const auto note_progress = [&] {
      if (at - at_last_fault >= kProgressBytes) retries.progressed();
      at_last_fault = at;
    };
    try {
      const RegistryAnswer answer = transport_.send(request);
      if (answer.response.was_stopped) return std::nullopt;
      if (wrong_range) {
        throw Error(Category::network,
                    fmt::format("blob '{}' of '{}': asked for bytes from {} on, the registry sent others",
                                blob_.digest.str(), shown_repository(), at));
      }
      if (answer.response.status != 200 && answer.response.status != 206) {
        note_progress();
        if (answer.response.status == 404 && tried_urls < blob_.urls.size()) {
          elsewhere = transport_.follow(answer.url, blob_.urls[tried_urls++]);
        } else if (!retries.again(answer.response)) {
          if (answer.response.status == 404) return answer;
          refuse(answer);
        }
      } else if (at < blob_.size) {
        note_progress();
        const TransportError truncated(TransportFault::truncated, wrong_size(std::to_string(at)).message(), 0, at);
        if (!retries.again(truncated)) throw truncated;
      }
    } catch (const TransportError& error) {
      if (error.fault() == TransportFault::too_large) throw wrong_size("more");
      if (at == blob_.size && blob_.size > 0) return std::nullopt;
      note_progress();
      if (!retries.again(error)) throw;
    }
  } while (at < blob_.size);
  return std::nullopt;
}

std::optional<RegistryAnswer> BlobDownload::store(ContentStore& store, Durability durability,
                                                  const ByteProgress& progress, WriteBehind::Pages pages) {
  store.lease(blob_.digest);
  if (store.has(blob_.digest)) return std::nullopt;
  for (int attempt = 0;; ++attempt) {
    BlobWriter writer = store.begin_blob(pages);
    auto absence = stream(0, [&](std::string_view bytes) {
      writer.write(bytes);
      if (progress) progress(writer.size());
      return AfterPiece::go_on;
    });
    if (absence) return absence;
    try {
      writer.commit(blob_.digest, durability);
      return std::nullopt;
    } catch (const Error& error) {
      if (error.category() != Category::network || attempt > 0) throw;
      session_.log().warn(fmt::format("{}; fetching it from '{}' once more", error.message(), shown_repository()));
    }
  }
}

std::optional<RegistryAnswer> BlobDownload::read(std::uint64_t max_bytes, std::string& bytes) {
  if (blob_.size > max_bytes) {
    throw Error(Category::network, fmt::format("blob '{}' of '{}': {} bytes, more than the {} allowed",
                                               blob_.digest.str(), shown_repository(), blob_.size, max_bytes));
  }
  for (int attempt = 0;; ++attempt) {
    bytes.clear();
    auto absence = stream(0, [&](std::string_view piece) {
      bytes += piece;
      return AfterPiece::go_on;
    });
    if (absence) return absence;
    const oci::Digest digest = oci::sha256_of(bytes);
    if (digest == blob_.digest) return std::nullopt;
    if (attempt > 0) {
      throw Error(Category::network, fmt::format("blob of '{}': expected digest {}, its bytes have {}",
                                                 shown_repository(), blob_.digest.str(), digest.str()));
    }
  }
}

}  // namespace kiln
