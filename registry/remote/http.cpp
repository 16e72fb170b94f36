#include "registry/remote/http.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>

#include "base/held_bytes.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

class MemoryBody : public RequestBody {
 public:
  explicit MemoryBody(std::string bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  std::optional<std::size_t> read(char* buffer, std::size_t capacity) override {
    const std::size_t count = std::min(capacity, bytes_.size() - at_);
    std::memcpy(buffer, bytes_.data() + at_, count);
    at_ += count;
    return count;
  }
  bool rewind() override {
    at_ = 0;
    return true;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

class FileBody : public RequestBody {
 public:
  FileBody(std::shared_ptr<Fd> file, std::uint64_t offset, std::uint64_t size, std::string name)
      : file_(std::move(file)), offset_(offset), size_(size), name_(std::move(name)) {}
  std::uint64_t size() const override { return size_; }
  std::optional<std::size_t> read(char* buffer, std::size_t capacity) override {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(capacity, size_ - at_));
    if (wanted == 0) return 0;
    ssize_t got;
    do {
      got = ::pread(file_->get(), buffer, wanted, static_cast<off_t>(offset_ + at_));
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw_errno("read", name_);
    if (got == 0) {
      throw Error(Category::machine, "file '" + name_ + "' became shorter while it was sent; run 'kiln cache verify'");
    }
    at_ += static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }
  bool rewind() override {
    at_ = 0;
    return true;
  }

 private:
  std::shared_ptr<Fd> file_;
  std::uint64_t offset_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;
  std::string name_;
};

}  // namespace

std::string_view to_string(HttpMethod method) {
  switch (method) {
    case HttpMethod::get:
      return "GET";
    case HttpMethod::head:
      return "HEAD";
    case HttpMethod::post:
      return "POST";
    case HttpMethod::put:
      return "PUT";
    case HttpMethod::patch:
      return "PATCH";
    case HttpMethod::delete_:
      return "DELETE";
  }
  return "GET";
}

std::optional<std::string> HttpHeaders::find(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (equals_ignoring_case(field, name)) return value;
  }
  return std::nullopt;
}

std::string HttpHeaders::media_type() const {
  const std::string field = find("Content-Type").value_or("");
  return to_lower(trim(std::string_view(field).substr(0, field.find(';'))));
}

std::vector<std::string> HttpHeaders::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [field, value] : fields_) {
    if (equals_ignoring_case(field, name)) values.push_back(value);
  }
  return values;
}

std::shared_ptr<RequestBody> memory_body(std::string bytes) { return std::make_shared<MemoryBody>(std::move(bytes)); }

std::shared_ptr<RequestBody> file_body(std::shared_ptr<Fd> file, std::uint64_t offset, std::uint64_t size,
                                       std::string name) {
  return std::make_shared<FileBody>(std::move(file), offset, size, std::move(name));
}

struct PipeBody::State {
  std::mutex mutex;
  std::condition_variable room;
  std::uint64_t size = 0;
  std::size_t capacity = 0;
  std::string buffer;
  HeldBytes held{BufferOwner::transfers, 0};
  std::size_t at = 0;  // what of the buffer was read
  std::uint64_t read_bytes = 0;
  bool reader_gone = false;
  std::optional<Error> error;
  std::function<void()> wake;
};

PipeBody::PipeBody(std::uint64_t size, std::size_t capacity) : state_(std::make_unique<State>()) {
  state_->size = size;
  state_->capacity = capacity;
}

PipeBody::~PipeBody() = default;

bool PipeBody::write(std::string_view bytes) {
  std::unique_lock lock(state_->mutex);
  state_->room.wait(lock, [&] { return state_->reader_gone || state_->buffer.size() - state_->at < state_->capacity; });
  if (state_->reader_gone) return false;
  state_->buffer.erase(0, std::exchange(state_->at, 0));
  state_->buffer += bytes;
  state_->held.set(state_->buffer.capacity());
  const auto wake = state_->wake;
  lock.unlock();
  if (wake) wake();
  return true;
}

void PipeBody::fail(const Error& error) {
  std::unique_lock lock(state_->mutex);
  state_->error = error;
  const auto wake = state_->wake;
  lock.unlock();
  if (wake) wake();
}

void PipeBody::close_reader() {
  const std::lock_guard lock(state_->mutex);
  state_->reader_gone = true;
  state_->room.notify_all();
}

std::uint64_t PipeBody::size() const { return state_->size; }

std::optional<std::size_t> PipeBody::read(char* buffer, std::size_t capacity) {
  const std::lock_guard lock(state_->mutex);
  if (state_->error) throw *state_->error;
  const std::size_t count = std::min(capacity, state_->buffer.size() - state_->at);
  if (count == 0) return state_->read_bytes >= state_->size ? std::optional<std::size_t>(0) : std::nullopt;
  std::copy_n(state_->buffer.data() + state_->at, count, buffer);
  state_->at += count;
  state_->read_bytes += count;
  state_->room.notify_all();
  return count;
}

bool PipeBody::rewind() {
  const std::lock_guard lock(state_->mutex);
  return state_->read_bytes == 0;
}

void PipeBody::set_wake(const std::function<void()>& wake) {
  const std::lock_guard lock(state_->mutex);
  state_->wake = wake;
}

}  // namespace kiln
