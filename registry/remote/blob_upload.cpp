#include "registry/remote/blob_upload.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "registry/remote/blob_presence.hpp"
#include "registry/remote/ghcr.hpp"

namespace kiln {

namespace {

constexpr int kMostRestarts = 4;
constexpr int kMostShortPieces = 100;  // of which the registry kept a part alone
constexpr std::uint64_t kSmallestPiece = std::uint64_t{1} << 20;

// "0-1023" or "bytes=0-1023" says that 1024 bytes are there. "0-0" says nothing or one byte; registries write
// it for an empty upload, so it counts as that.
std::optional<std::uint64_t> offset_in(const HttpHeaders& headers) {
  const auto field = headers.find("Range");
  if (!field) return std::nullopt;
  std::string_view range = trim(*field);
  if (range.starts_with("bytes=")) range.remove_prefix(6);
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos || range.substr(0, dash) != "0") return std::nullopt;
  const auto last = parse_unsigned(range.substr(dash + 1));
  if (!last) return std::nullopt;
  return *last == 0 ? 0 : *last + 1;
}

}  // namespace

void cancel_upload(RegistryTransport& transport, const std::string& repository, const RegistryAnswer& begun) {
  const auto location = begun.response.headers.find("Location");
  if (!location) return;
  try {
    RegistryRequest request;
    request.method = HttpMethod::delete_;
    request.url = transport.follow(begun.url, *location);
    request.repository = repository;
    request.scope = Scope::pull_push(repository);
    request.retrying = Retrying::no;
    transport.send(request);
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
  }
}

BlobUpload::BlobUpload(RemoteSession& session, RegistryTransport& transport, std::string repository,
                       const oci::Descriptor& blob, UploadSource& source)
    : session_(session),
      transport_(transport),
      repository_(std::move(repository)),
      blob_(blob),
      source_(source),
      retries_(transport.pace()) {}

void BlobUpload::run(ByteProgress progress) {
  progress_ = std::move(progress);
  if (ghcr::is_ghcr(transport_.endpoint().authority)) {
    if (const auto objection =
            ghcr::upload_objection(blob_, "blob '" + blob_.digest.str() + "'", transport_.upload_bytes_per_second())) {
      throw Error(Category::network, *objection);
    }
  }
  for (;;) {
    try {
      if (!open_) open_ = begin();
      const Step step = piece_bytes_ != 0 ? send_pieces(*open_) : send_rest(*open_);
      if (step == Step::done) return;
    } catch (const TransportError& error) {
      if (std::exchange(asked_to_finish_, false) && is_there()) return;
      session_.stats().pushed_bytes += error.sent_bytes();
      if (!retries_.again(error)) throw;
      recover();
    }
  }
}

BlobUpload::Open BlobUpload::begin() {
  RegistryRequest request;
  request.method = HttpMethod::post;
  request.path = "/v2/" + repository_ + "/blobs/uploads/";
  request.repository = repository_;
  request.scope = Scope::pull_push(repository_);
  const RegistryAnswer answer = transport_.send(request);
  if (answer.response.status != 202) transport_.refuse(answer, repository_);
  const auto location = answer.response.headers.find("Location");
  if (!location) {
    throw Error(Category::network, fmt::format("registry '{}' began an upload to '{}' and names no Location for it",
                                               transport_.endpoint().authority, repository_));
  }
  const auto smallest = answer.response.headers.find("OCI-Chunk-Min-Length");
  if (smallest && piece_bytes_ == 0 && !ghcr::is_ghcr(transport_.endpoint().authority)) {
    piece_bytes_ = std::max(parse_unsigned(trim(*smallest)).value_or(0), session_.settings().upload_chunk_bytes);
  }
  return {transport_.follow(answer.url, *location), 0};
}

RegistryAnswer BlobUpload::send_part(HttpMethod method, const Url& url, std::uint64_t offset, std::uint64_t size,
                                     bool whole) {
  RegistryRequest request;
  request.method = method;
  request.url = url;
  request.repository = repository_;
  request.scope = Scope::pull_push(repository_);
  request.retrying = Retrying::no;
  request.headers.add("Content-Type", "application/octet-stream");
  if (size > 0 && !whole) request.headers.add("Content-Range", fmt::format("{}-{}", offset, offset + size - 1));
  if (size > 0) request.body = source_.open(offset, size);
  if (progress_) request.on_sent = [&](std::uint64_t sent) { progress_(offset + std::min(sent, size)); };
  if (method == HttpMethod::put) asked_to_finish_ = true;
  const double begun = session_.clock().monotonic_seconds();
  RegistryAnswer answer = transport_.send(request);
  session_.stats().pushed_bytes += answer.response.sent_bytes;
  if (answer.response.status < 300) transport_.note_upload(size, session_.clock().monotonic_seconds() - begun);
  return answer;
}

// All that is missing: with the PUT where nothing is there yet, else by one PATCH and an empty PUT.
BlobUpload::Step BlobUpload::send_rest(Open& upload) {
  if (upload.offset == 0) {
    Url url = upload.url;
    url.add_query("digest", blob_.digest.str());
    return judge(send_part(HttpMethod::put, url, 0, blob_.size, true), true);
  }
  return send_pieces(upload);
}

BlobUpload::Step BlobUpload::send_pieces(Open& upload) {
  while (upload.offset < blob_.size) {
    const std::uint64_t left = blob_.size - upload.offset;
    const std::uint64_t size = piece_bytes_ == 0 ? left : std::min(left, piece_bytes_);
    const RegistryAnswer answer = send_part(HttpMethod::patch, upload.url, upload.offset, size, false);
    if (answer.response.status != 202 && answer.response.status != 204 && answer.response.status != 201) {
      return judge(answer, false);
    }
    if (const auto location = answer.response.headers.find("Location"))
      upload.url = transport_.follow(answer.url, *location);
    const std::uint64_t sent = upload.offset + size;
    std::uint64_t there = offset_in(answer.response.headers).value_or(sent);
    // Some registries tell the end of a range as the byte behind it. What they have is told by the digest in the end.
    if (there == sent + 1) there = sent;
    const bool is_short = there < sent && ++short_pieces_ > kMostShortPieces;
    if (there > blob_.size || there <= upload.offset || is_short) {
      open_.reset();
      if (++restarts_ > kMostRestarts) {
        throw Error(Category::network, fmt::format("blob '{}': sent {} bytes, registry '{}' says it has {}",
                                                   blob_.digest.str(), sent, transport_.endpoint().authority, there));
      }
      return Step::again;
    }
    upload.offset = there;
    retries_.progressed();
  }
  Url url = upload.url;
  url.add_query("digest", blob_.digest.str());
  return judge(send_part(HttpMethod::put, url, upload.offset, 0, false), true);
}

// What an answer to PUT or PATCH means for the upload.
BlobUpload::Step BlobUpload::judge(const RegistryAnswer& answer, bool was_last) {
  const HttpResponse& response = answer.response;
  if (was_last && response.status >= 200 && response.status <= 204) {
    asked_to_finish_ = false;
    if (const auto said = answer.stated_digest(); said && *said != blob_.digest) {
      throw Error(Category::network, fmt::format("blob '{}': registry '{}' says it stored {}", blob_.digest.str(),
                                                 transport_.endpoint().authority, said->str()));
    }
    if (response.status == 201 || is_there()) return Step::done;
    throw Error(Category::network, fmt::format("blob '{}': registry '{}' answered {}, and does not have it",
                                               blob_.digest.str(), transport_.endpoint().authority, response.status));
  }
  const bool ambiguous = response.status >= 500 || response.status == 408;
  if (std::exchange(asked_to_finish_, false) && ambiguous && is_there()) return Step::done;

  if (classify_response(response) != ResponseKind::final) {
    if (!retries_.again(response)) transport_.refuse(answer, repository_);
    recover();
    return Step::again;
  }
  if (response.status == 413) {
    const std::uint64_t before = piece_bytes_ == 0 ? session_.settings().upload_chunk_bytes * 4 : piece_bytes_;
    if (before > kSmallestPiece && blob_.size > kSmallestPiece && !ghcr::is_ghcr(transport_.endpoint().authority)) {
      piece_bytes_ = std::max(before / 4, kSmallestPiece);
      open_.reset();
      return Step::again;
    }
  }
  // The upload is not (or no longer) what we take it for: begin anew, a few times.
  const bool lost = response.status == 404 || response.status == 416 || response.status == 400 ||
                    response.status == 401 || response.status == 409;
  const std::vector<RegistryErrorCode> codes = parse_error_codes(response.body);
  const bool name_unknown =
      std::any_of(codes.begin(), codes.end(), [](const auto& entry) { return entry.code == "NAME_UNKNOWN"; });
  if (lost && !name_unknown && ++restarts_ <= (response.status == 416 || response.status == 404 ? kMostRestarts : 1)) {
    open_.reset();
    return Step::again;
  }
  transport_.refuse(answer, repository_);
}

// Asks the registry how much of the upload it has; begins anew where it does not know (or, GHCR, would refuse
// to go on in the middle).
void BlobUpload::recover() {
  if (!open_) return;
  const Url url = open_->url;
  open_.reset();
  if (ghcr::is_ghcr(transport_.endpoint().authority)) return;
  RegistryRequest request;
  request.url = url;
  request.repository = repository_;
  request.scope = Scope::pull_push(repository_);
  try {
    const RegistryAnswer answer = transport_.send(request);
    if (answer.response.status != 204 && answer.response.status != 200) return;
    const auto offset = offset_in(answer.response.headers);
    if (!offset || *offset == 0 || *offset > blob_.size) return;
    const auto location = answer.response.headers.find("Location");
    open_ = Open{location ? transport_.follow(answer.url, *location) : url, *offset};
  } catch (const TransportError& error) {
    session_.log().debug(fmt::format("{}; the upload begins anew", error.message()));
  }
}

bool BlobUpload::is_there() {
  try {
    return find_blob(transport_, repository_, blob_.digest).matches(blob_);
  } catch (const TransportError&) {
    return false;  // then it is sent again, and that will tell
  }
}

}  // namespace kiln
