#include "registry/remote/upload_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <thread>

#include "base/error.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln {

namespace {

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
  void run(PipeBody& pipe, std::uint64_t offset, std::uint64_t size) {
    oci::Sha256 hash;
    const bool whole = offset == 0 && size == blob_.size;
    std::uint64_t left = size;
    std::string held;
    bool is_read = true;
    try {
      from_.stream_blob(repository_, blob_, offset, [&](std::string_view bytes) {
        bytes = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left)));
        if (whole) hash.update(bytes);
        left -= bytes.size();
        is_read = held.empty() || pipe.write(held);
        held = bytes;
        return is_read && (left > 0 || whole) ? AfterPiece::go_on : AfterPiece::stop;
      });
      if (!is_read) return;
      if (whole && hash.finish() != blob_.digest) {
        pipe.fail(Error(Category::network, fmt::format("blob '{}': '{}/{}' sent other bytes than that digest's",
                                                       blob_.digest.str(), from_.endpoint().authority, repository_)));
        return;
      }
      pipe.write(held);
    } catch (const Error& error) {
      pipe.fail(error);
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

class BytesOfBlob : public UploadSource {
 public:
  explicit BytesOfBlob(std::string bytes) : bytes_(std::move(bytes)) {}
  std::shared_ptr<RequestBody> open(std::uint64_t offset, std::uint64_t size) override {
    return memory_body(bytes_.substr(offset, size));
  }

 private:
  std::string bytes_;
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

std::unique_ptr<UploadSource> bytes_of_blob(std::string bytes) {
  return std::make_unique<BytesOfBlob>(std::move(bytes));
}

}  // namespace kiln
