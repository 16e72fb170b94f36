#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.hpp"

namespace kiln {

class CertificateAuthority;

// One end of a connection that is read and written without waiting. For one thread.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // What is there, up to a few dozen KiB; "" at the end; nullopt where nothing is there yet. Error{network} where the
  // connection broke.
  virtual std::optional<std::string> read() = 0;
  // How many of the bytes were taken.
  virtual std::size_t write(std::string_view bytes) = 0;
  // Sends what write() has taken and the kernel has not; false where some is left.
  virtual bool flush() = 0;
  // To poll: a socket.
  virtual int descriptor() const = 0;
};

// A connected socket, which is made non-blocking.
class SocketStream : public ByteStream {
 public:
  explicit SocketStream(Fd socket);
  std::optional<std::string> read() override;
  std::size_t write(std::string_view bytes) override;
  bool flush() override { return true; }
  int descriptor() const override { return socket_.get(); }

 private:
  Fd socket_;
};

// Why a program did not go through with TLS.
struct HandshakeRefusal {
  bool by_program = false;  // it sent an alert about the certificate, or hung up
  std::string reason;       // "alert unknown ca"
};

// The server's side of TLS on another stream, with a certificate of the authority for `host`.
class TlsStream : public ByteStream {
 public:
  TlsStream(std::unique_ptr<ByteStream> below, CertificateAuthority& authority, const std::string& host,
            std::string received);
  ~TlsStream() override;

  enum class Handshake { under_way, done, failed };
  Handshake handshake();
  const HandshakeRefusal& refusal() const noexcept;

  std::optional<std::string> read() override;
  std::size_t write(std::string_view bytes) override;
  bool flush() override;
  int descriptor() const override;

 private:
  struct State;
  bool receive();
  std::unique_ptr<State> state_;
};

}  // namespace kiln
