#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "registry/remote/registry_transport.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/remote/upload_source.hpp"

namespace kiln {

// One blob on its way to a registry: POST and one PUT, streamed; in pieces by PATCH where the registry asks
// for that (OCI-Chunk-Min-Length) or finds the whole too large (413). After a fault whose outcome is not
// known the blob is asked for first (HEAD), then the upload (GET on its URL), and only what is missing is
// sent. For one thread.
class BlobUpload {
 public:
  // All but the repository is borrowed.
  BlobUpload(RemoteSession& session, RegistryTransport& transport, std::string repository, const oci::Descriptor& blob,
             UploadSource& source);
  void run(ByteProgress progress);

 private:
  struct Open {
    Url url;                   // where the next piece goes
    std::uint64_t offset = 0;  // what the registry has
  };
  enum class Step { done, again };

  Open begin();
  Step send_rest(Open& upload);
  Step send_pieces(Open& upload);
  Step judge(const RegistryAnswer& answer, bool was_last);
  RegistryAnswer send_part(HttpMethod method, const Url& url, std::uint64_t offset, std::uint64_t size, bool whole);
  void recover();
  bool is_there();

  RemoteSession& session_;
  RegistryTransport& transport_;
  std::string repository_;
  const oci::Descriptor& blob_;
  UploadSource& source_;
  ByteProgress progress_;
  RetryLoop retries_;
  std::optional<Open> open_;
  std::uint64_t piece_bytes_ = 0;  // 0: not in pieces
  int restarts_ = 0;
  int short_pieces_ = 0;
  bool asked_to_finish_ = false;  // a PUT may have been taken although no answer came
};

// Abandons an upload that a POST began; what goes wrong with that is of no interest.
void cancel_upload(RegistryTransport& transport, const std::string& repository, const RegistryAnswer& begun);

}  // namespace kiln
