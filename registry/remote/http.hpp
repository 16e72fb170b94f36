#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.hpp"
#include "base/error.hpp"
#include "base/fd.hpp"
#include "registry/remote/address.hpp"
#include "registry/remote/proxy.hpp"
#include "registry/remote/url.hpp"

namespace kiln {

enum class HttpMethod { get, head, post, put, patch, delete_ };
std::string_view to_string(HttpMethod method);

// Header fields in their order; names compare without case.
class HttpHeaders {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  // The first value; nullopt where the field is missing.
  std::optional<std::string> find(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  // Content-Type in lower case and without its parameters; "" where there is none.
  std::string media_type() const;
  const std::vector<std::pair<std::string, std::string>>& fields() const noexcept { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// What a request sends. Its size is always known: registries want a Content-Length. read() is called from the
// I/O thread and must not wait; everything else from the thread that sends.
class RequestBody {
 public:
  virtual ~RequestBody() = default;
  virtual std::uint64_t size() const = 0;
  // Copies up to `capacity` bytes. 0: the end. nullopt: none yet; the function given to set_wake is called
  // when there are. What it throws ends the request.
  virtual std::optional<std::size_t> read(char* buffer, std::size_t capacity) = 0;
  // Back to the first byte, for sending once more. False where that cannot be.
  virtual bool rewind() = 0;
  virtual void set_wake(const std::function<void()>& /*wake*/) {}
};

std::shared_ptr<RequestBody> memory_body(std::string bytes);
// `size` bytes of an open file from `offset` on, by pread; `name` for errors.
std::shared_ptr<RequestBody> file_body(std::shared_ptr<Fd> file, std::uint64_t offset, std::uint64_t size,
                                       std::string name);

// A body that another thread writes while it is sent: write() waits while `capacity` bytes are buffered.
class PipeBody : public RequestBody {
 public:
  explicit PipeBody(std::uint64_t size, std::size_t capacity = std::size_t{1} << 20);
  ~PipeBody() override;
  // False once the reader is gone (close_reader): what is written then is thrown away.
  bool write(std::string_view bytes);
  // The writer failed: the request ends with this error.
  void fail(const Error& error);
  void close_reader();

  std::uint64_t size() const override;
  std::optional<std::size_t> read(char* buffer, std::size_t capacity) override;
  bool rewind() override;
  void set_wake(const std::function<void()>& wake) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

enum class TlsCheck { verify, none };

// What takes a body in pieces, and whether it wants the next one.
enum class AfterPiece { go_on, stop };
using BodySink = std::function<AfterPiece(std::string_view)>;

struct HttpRequest {
  HttpMethod method = HttpMethod::get;
  Url url;
  HttpHeaders headers;
  std::shared_ptr<RequestBody> body;  // none: no body ("Content-Length: 0" with POST, PUT and PATCH)
  TlsCheck tls = TlsCheck::verify;
  // The most private address that may be connected to (checked on the address really used; a proxy's is not).
  AddressClass most_private = AddressClass::link_local;

  // Decides once status and headers are there whether the body goes to on_body; called on the I/O thread,
  // must not wait. None: the body goes to on_body where the status is 2xx and on_body is set.
  std::function<bool(int status, const HttpHeaders&)> wants_body;
  // Gets the body in pieces, on the thread that called send(); while it works the connection is not read
  // further than a small buffer. Where it says stop, the request ends and the answer is what came until then. What it
  // throws ends the request and leaves send().
  BodySink on_body;
  // Bytes of body sent so far, on the thread that called send(), a few times a second at most.
  std::function<void(std::uint64_t)> on_sent;
  // A longer body ends the request with TransportFault::too_large; the body of an error (status 400 and up)
  // is cut off instead. For the body kept in HttpResponse::body; what goes to on_body is limited by
  // max_streamed_bytes.
  std::uint64_t max_body_bytes = std::uint64_t{4} << 20;
  std::uint64_t max_streamed_bytes = UINT64_MAX;
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;                  // unless on_body got it
  std::uint64_t received_bytes = 0;  // of body
  std::uint64_t sent_bytes = 0;      // of body
  bool was_stopped = false;          // by on_body: the rest of the body was not wanted
  bool through_proxy = false;
  std::string remote_address;  // numeric; empty through a proxy

  // Proxies and serverless registries may know GET alone.
  bool lacks_method() const { return status == 405 || status == 501; }
};

enum class TransportFault {
  resolve,    // no address for the host
  connect,    // no server answers there
  tls,        // no trust
  no_tls,     // what answers there speaks no TLS
  reset,      // the connection broke
  stalled,    // too little moved for too long
  truncated,  // the body ended before Content-Length
  protocol,   // what came was no HTTP
  too_large,  // more body than allowed
  header,     // more header than allowed
  no_token,   // the token server that the registry names was asked, as often as one is, and gave no (whole) answer
  refused,    // the address is more private than allowed
};

// A request that got no (whole) answer. The message names method and redacted URL.
class TransportError : public Error {
 public:
  TransportError(TransportFault fault, std::string message, std::uint64_t sent_bytes, std::uint64_t received_bytes)
      : Error(Category::network, std::move(message)),
        fault_(fault),
        sent_bytes_(sent_bytes),
        received_bytes_(received_bytes) {}
  TransportFault fault() const noexcept { return fault_; }
  std::uint64_t sent_bytes() const noexcept { return sent_bytes_; }          // of body
  std::uint64_t received_bytes() const noexcept { return received_bytes_; }  // of body

 private:
  TransportFault fault_;
  std::uint64_t sent_bytes_;
  std::uint64_t received_bytes_;
};

// Certificate files of one registry (certs.d); empty paths for none.
struct HostCertificates {
  std::vector<std::string> authorities;  // PEM texts, trusted beside the system's
  std::string client_certificate;        // file
  std::string client_key;                // file
};

struct HttpOptions {
  std::string user_agent = "kiln";
  int connect_timeout_ms = 30'000;
  int stall_timeout_ms = 60'000;         // in which less than least_bytes_per_second moved
  double least_bytes_per_second = 1024;  // of a body under way, either direction
  int answer_timeout_ms = 300'000;       // from the last byte sent to the first byte of the answer
  int kept_body_timeout_ms = 300'000;    // from there to the last byte of a body that is kept in memory
  ProxySettings proxies;
  std::function<HostCertificates(const std::string& authority)> certificates;  // none: the system's alone
  std::string extra_authorities_file;  // a PEM bundle in place of the system's; empty: the system's
};

// Sends HTTP requests. send() may be called from any number of threads at once and returns when the answer is
// whole; redirects are answers like others. Throws TransportError, Error{cancelled} soon after `cancel`
// fires, and what on_body or the request body threw. A transfer may last as long as it moves fast enough.
class HttpClient {
 public:
  virtual ~HttpClient() = default;
  virtual HttpResponse send(const HttpRequest& request, const CancelToken& cancel) = 0;
};

// The one with libcurl: a single I/O thread owns the multi handle, connections are kept and shared, HTTP/2 is
// used where the server offers it.
std::unique_ptr<HttpClient> make_curl_client(HttpOptions options);

}  // namespace kiln
