#include "registry/remote/blob_presence.hpp"

#include <algorithm>
#include <string_view>

#include "base/text.hpp"

namespace kiln {

BlobPresence find_blob(RegistryTransport& transport, const std::string& repository, const oci::Digest& digest) {
  // A proxy may make "0" of a length that is not told.
  const auto is_size = [&](std::optional<std::uint64_t> size) {
    static const oci::Digest kOfNothing = oci::sha256_of("");
    return size && (*size != 0 || digest == kOfNothing);
  };
  const auto length_of = [](const HttpHeaders& headers) {
    const auto length = headers.find("Content-Length");
    return length ? parse_unsigned(trim(*length)) : std::nullopt;
  };
  RegistryRequest request;
  request.method = HttpMethod::head;
  request.path = "/v2/" + repository + "/blobs/" + digest.str();
  request.repository = repository;
  request.scope = Scope::pull(repository);
  RegistryAnswer answer = transport.send(request);
  if (answer.response.status == 404) return {};
  const bool is_there = answer.response.status == 200;
  if (is_there && is_size(length_of(answer.response.headers))) return {true, length_of(answer.response.headers)};
  if (!is_there && transport.is_home(answer.url) && !answer.response.lacks_method())
    transport.refuse(answer, repository);

  // Storage behind a signed URL often answers GET only. One byte tells the size of the whole; a server without ranges
  // begins to send all of it, and tells the size before that.
  request.method = HttpMethod::get;
  request.headers.add("Range", "bytes=0-0");
  request.wants_body = [](int status, const HttpHeaders&) { return status == 200; };
  request.on_body = [](std::string_view) { return AfterPiece::stop; };
  answer = transport.send(request);
  if (answer.response.status == 404) return {};
  if (answer.response.status == 200) {
    const auto size = length_of(answer.response.headers);
    return {true, is_size(size) ? size : std::nullopt};
  }
  if (answer.response.status == 206) {
    const std::string range = answer.response.headers.find("Content-Range").value_or("");
    return {true, parse_unsigned(trim(std::string_view(range).substr(std::min(range.size(), range.find('/') + 1))))};
  }
  if (is_there) return {true, {}};
  transport.refuse(answer, repository);
}

}  // namespace kiln
