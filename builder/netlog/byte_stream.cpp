#include "builder/netlog/byte_stream.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/netlog/certificate_authority.hpp"

// TLS works on memory: OpenSSL's own writing to a socket would raise SIGPIPE where the program has hung up.

namespace kiln {

namespace {

constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
constexpr std::size_t kMostEncryptedBytes = std::size_t{256} << 10;  // encrypted and not sent yet

[[noreturn]] void broke() {
  throw Error(Category::network, fmt::format("the program's connection broke: {}", errno_text(errno)));
}

// What an alert about a certificate is called; empty for one about something else.
std::string certificate_alert(unsigned long error) {
  switch (ERR_GET_REASON(error)) {
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "alert unknown_ca";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
      return "alert bad_certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
      return "alert certificate_unknown";
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
      return "alert unsupported_certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return "alert certificate_revoked";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "alert certificate_expired";
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      return "alert access_denied";
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
      return "alert decrypt_error";
    default:
      return "";
  }
}

}  // namespace

SocketStream::SocketStream(Fd socket) : socket_(std::move(socket)) {
  const int flags = ::fcntl(socket_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK) != 0) throw_errno("prepare", "a connection");
}

std::optional<std::string> SocketStream::read() {
  std::array<char, kPieceBytes> buffer;
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got >= 0) return std::string(buffer.data(), static_cast<std::size_t>(got));
  if (errno == EAGAIN || errno == EINTR) return std::nullopt;
  broke();
}

std::size_t SocketStream::write(std::string_view bytes) {
  const ssize_t put = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (put >= 0) return static_cast<std::size_t>(put);
  if (errno == EAGAIN || errno == EINTR) return 0;
  broke();
}

struct TlsStream::State {
  std::unique_ptr<ByteStream> below;
  std::shared_ptr<void> context;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, SSL_free};
  BIO* incoming = nullptr;  // the SSL's
  BIO* outgoing = nullptr;
  std::string waiting;  // encrypted
  HandshakeRefusal refusal;
  bool at_end = false;
};

TlsStream::TlsStream(std::unique_ptr<ByteStream> below, CertificateAuthority& authority, const std::string& host,
                     std::string received)
    : state_(std::make_unique<State>()) {
  state_->below = std::move(below);
  state_->context = authority.context_for(host);
  state_->ssl.reset(SSL_new(static_cast<SSL_CTX*>(state_->context.get())));
  state_->incoming = BIO_new(BIO_s_mem());
  state_->outgoing = BIO_new(BIO_s_mem());
  if (!state_->ssl || !state_->incoming || !state_->outgoing)
    throw Error(Category::machine, "OpenSSL is out of memory");
  BIO_set_mem_eof_return(state_->incoming, -1);
  SSL_set_bio(state_->ssl.get(), state_->incoming, state_->outgoing);
  SSL_set_accept_state(state_->ssl.get());
  if (!received.empty()) BIO_write(state_->incoming, received.data(), static_cast<int>(received.size()));
}

// A body that ends with the connection is whole for a program only where TLS says the end, too.
TlsStream::~TlsStream() {
  if (!SSL_is_init_finished(state_->ssl.get())) return;
  ERR_clear_error();
  SSL_shutdown(state_->ssl.get());
  try {
    flush();
  } catch (const Error&) {
    // The program has hung up.
  }
}

// From the stream below into OpenSSL; false where nothing came.
bool TlsStream::receive() {
  if (state_->at_end) return false;
  const std::optional<std::string> bytes = state_->below->read();
  if (!bytes) return false;
  if (bytes->empty()) {
    state_->at_end = true;
    BIO_set_mem_eof_return(state_->incoming, 0);
    return true;
  }
  return BIO_write(state_->incoming, bytes->data(), static_cast<int>(bytes->size())) > 0;
}

bool TlsStream::flush() {
  std::array<char, kPieceBytes> buffer;
  while (BIO_ctrl_pending(state_->outgoing) > 0) {
    const int got = BIO_read(state_->outgoing, buffer.data(), static_cast<int>(buffer.size()));
    if (got <= 0) break;
    state_->waiting.append(buffer.data(), static_cast<std::size_t>(got));
  }
  while (!state_->waiting.empty()) {
    const std::size_t put = state_->below->write(state_->waiting);
    if (put == 0) return false;
    state_->waiting.erase(0, put);
  }
  return state_->below->flush();
}

TlsStream::Handshake TlsStream::handshake() {
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(state_->ssl.get());
    const int error = SSL_get_error(state_->ssl.get(), result);
    const unsigned long queued = ERR_peek_error();
    const std::string alert = certificate_alert(queued);
    try {
      flush();
      if (result == 1) return Handshake::done;
      if (error == SSL_ERROR_WANT_READ && !state_->at_end) {
        if (receive()) continue;
        return Handshake::under_way;
      }
    } catch (const Error&) {
      state_->at_end = true;
    }
    const bool hung_up = state_->at_end && alert.empty();
    state_->refusal.by_program = hung_up || !alert.empty();
    const char* reason = ERR_reason_error_string(queued);
    state_->refusal.reason = hung_up ? "it hung up" : !alert.empty() ? alert : reason ? reason : "no TLS";
    return Handshake::failed;
  }
}

const HandshakeRefusal& TlsStream::refusal() const noexcept { return state_->refusal; }

std::optional<std::string> TlsStream::read() {
  std::array<char, kPieceBytes> buffer;
  for (;;) {
    ERR_clear_error();
    const int got = SSL_read(state_->ssl.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (got > 0) return std::string(buffer.data(), static_cast<std::size_t>(got));
    const int error = SSL_get_error(state_->ssl.get(), got);
    const unsigned long queued = ERR_peek_error();
    flush();
    if (error == SSL_ERROR_ZERO_RETURN) return "";
    if (error == SSL_ERROR_WANT_READ && !state_->at_end) {
      if (!receive()) return std::nullopt;
      continue;
    }
    if (state_->at_end) return "";
    // TLS 1.3 tells of a certificate that is refused when the handshake is over for this side.
    if (const std::string alert = certificate_alert(queued); !alert.empty()) {
      state_->refusal = {true, alert};
      return "";
    }
    const char* reason = ERR_reason_error_string(queued);
    throw Error(Category::network, fmt::format("the program's TLS is broken: {}", reason ? reason : "no reason given"));
  }
}

std::size_t TlsStream::write(std::string_view bytes) {
  flush();
  if (bytes.empty() || state_->waiting.size() >= kMostEncryptedBytes) return 0;
  ERR_clear_error();
  const int put = SSL_write(state_->ssl.get(), bytes.data(), static_cast<int>(std::min(bytes.size(), kPieceBytes)));
  const int error = SSL_get_error(state_->ssl.get(), put);
  flush();
  if (put > 0) return static_cast<std::size_t>(put);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return 0;
  throw Error(Category::network, "the program's TLS is broken");
}

int TlsStream::descriptor() const { return state_->below->descriptor(); }

}  // namespace kiln
