#include "builder/run/worker_socket.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMessageHeaderBytes = 1 + sizeof(std::uint32_t);

bool send_bytes(const Fd& socket, std::string_view bytes, int descriptor) {
  while (!bytes.empty()) {
    iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (descriptor >= 0) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    const ssize_t sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    descriptor = -1;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// False at the end of the stream, and for a stream that was cut.
bool receive_bytes(const Fd& socket, char* buffer, std::size_t size, Fd& descriptor) {
  while (size > 0) {
    iovec piece{buffer, size};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message);
        header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
      int received = -1;
      std::memcpy(&received, CMSG_DATA(header), sizeof received);
      descriptor = Fd(received);
    }
    buffer += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

SocketPair make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("create", "socket");
  return {Fd(ends[0]), Fd(ends[1])};
}

void send_message(const Fd& socket, MessageType type, std::string_view payload, int descriptor) {
  std::string bytes(1, static_cast<char>(type));
  const auto length = static_cast<std::uint32_t>(payload.size());
  bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
  bytes += payload;
  if (!send_bytes(socket, bytes, descriptor)) {
    throw Error(Category::machine, "the process that runs containers is gone; run kiln again");
  }
}

std::optional<WorkerMessage> receive_message(const Fd& socket) {
  std::array<char, kMessageHeaderBytes> header;
  WorkerMessage message{};
  if (!receive_bytes(socket, header.data(), header.size(), message.descriptor)) return std::nullopt;
  message.type = static_cast<MessageType>(header[0]);
  std::uint32_t length = 0;
  std::memcpy(&length, header.data() + 1, sizeof length);
  message.payload.resize(length);
  if (!receive_bytes(socket, message.payload.data(), length, message.descriptor)) return std::nullopt;
  return message;
}

bool send_descriptor(const Fd& socket, int descriptor) { return send_bytes(socket, "+", descriptor); }

Fd receive_descriptor(const Fd& socket) {
  char byte = 0;
  Fd descriptor;
  if (!receive_bytes(socket, &byte, 1, descriptor)) return {};
  return descriptor;
}

PayloadWriter& PayloadWriter::number(std::uint64_t value) {
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  return *this;
}

PayloadWriter& PayloadWriter::text(std::string_view value) {
  number(value.size());
  bytes_ += value;
  return *this;
}

PayloadWriter& PayloadWriter::texts(const std::vector<std::string>& values) {
  number(values.size());
  for (const std::string& value : values) text(value);
  return *this;
}

std::string_view PayloadReader::take(std::size_t size) {
  if (size > rest_.size()) throw Error(Category::machine, "a message between kiln and its runner was cut short");
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

std::uint64_t PayloadReader::number() {
  std::uint64_t value = 0;
  std::memcpy(&value, take(sizeof value).data(), sizeof value);
  return value;
}

std::string PayloadReader::text() { return std::string(take(number())); }

std::vector<std::string> PayloadReader::texts() {
  std::vector<std::string> values(number());
  for (std::string& value : values) value = text();
  return values;
}

}  // namespace kiln
