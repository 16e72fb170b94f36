#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"

namespace kiln {

// What kiln and a container's worker say to one another over a stream socket. Not for other programs and not kept: both
// ends are one binary.
//
//   message = type length(4 bytes, native) payload; a descriptor may come along with the first byte
enum class MessageType : char {
  run = 'R',        // kiln: a ContainerPlan; with it the pipe for the container's output
  exec = 'X',       // kiln: the process object of a command; with it the pipe for its output
  exec_kill = 'K',  // kiln: the command of the last exec message has had its time
  exec_done = 'E',  // worker: an exit code
  console = 'C',    // worker: with it the pseudoterminal of a container that asked for one
  network = 'N',    // worker: three times, a socket of NamespaceSockets in its order
  done = 'D',       // worker: a WorkerReport, the last message
};

struct WorkerMessage {
  MessageType type;
  std::string payload;
  Fd descriptor;
};

// Error{machine} where the other end is gone.
void send_message(const Fd& socket, MessageType type, std::string_view payload, int descriptor = -1);
// nullopt where the other end has closed. Waits.
std::optional<WorkerMessage> receive_message(const Fd& socket);

// A pair of connected stream sockets.
struct SocketPair {
  Fd ours;
  Fd theirs;
};
SocketPair make_socket_pair();

// Sends one byte and a descriptor; false where the other end is gone.
bool send_descriptor(const Fd& socket, int descriptor);
// The descriptor that comes with the next byte; none at the end.
Fd receive_descriptor(const Fd& socket);

// Values in a payload, one behind the other.
class PayloadWriter {
 public:
  PayloadWriter& number(std::uint64_t value);
  PayloadWriter& text(std::string_view value);
  PayloadWriter& texts(const std::vector<std::string>& values);
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class PayloadReader {
 public:
  explicit PayloadReader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number();
  std::string text();
  std::vector<std::string> texts();

 private:
  std::string_view take(std::size_t size);
  std::string_view rest_;
};

}  // namespace kiln
