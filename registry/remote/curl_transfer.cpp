#include "registry/remote/curl_transfer.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;  // per transfer, before it is paused
constexpr std::size_t kWorthWaking = std::size_t{256}
                                     << 10;  // less is taken when the transfer ends, or at the next poll
constexpr std::size_t kMaxHeaderBytes = std::size_t{256} << 10;  // below the 300 KiB at which curl says it otherwise
constexpr std::size_t kMaxErrorBodyBytes = std::size_t{64} << 10;

CurlTransfer& transfer_of(void* pointer) { return *static_cast<CurlTransfer*>(pointer); }

std::size_t stop_with(CurlTransfer& transfer, TransportFault fault, std::string text) {
  transfer.fault = fault;
  transfer.fault_text = std::move(text);
  return 0;
}

// Bytes that come one by one are no progress: a server that sends fewer than progress_bytes in the time of a stall is
// left.
void note_received(CurlTransfer& transfer, std::size_t bytes) {
  transfer.since_progress += bytes;
  if (transfer.since_progress < transfer.progress_bytes) return;
  transfer.since_progress = 0;
  transfer.progress_at = monotonic_seconds();
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  CurlTransfer& transfer = transfer_of(user);
  note_received(transfer, size);
  transfer.header_bytes += size;
  if (transfer.header_bytes > kMaxHeaderBytes) {
    return stop_with(transfer, TransportFault::header, "the answer's header is larger than 256 KiB");
  }
  const std::string_view line = trim(std::string_view(data, size));
  const std::lock_guard lock(transfer.mutex);
  if (line.starts_with("HTTP/")) {
    transfer.response.headers = {};
    transfer.header_done = false;
    return size;
  }
  if (!line.empty()) {
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && !transfer.header_done) {
      transfer.response.headers.add(std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
    }
    return size;
  }
  long status = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) return size;
  transfer.header_done = true;
  transfer.progress_at = transfer.answered_at = monotonic_seconds();
  transfer.response.status = static_cast<int>(status);
  const HttpRequest& request = *transfer.request;
  transfer.streaming =
      request.on_body &&
      (request.wants_body ? request.wants_body(transfer.response.status, transfer.response.headers) : status < 300);
  return size;
}

std::size_t on_received(char* data, std::size_t, std::size_t size, void* user) {
  CurlTransfer& transfer = transfer_of(user);
  note_received(transfer, size);
  const std::lock_guard lock(transfer.mutex);
  if (transfer.streaming) {
    if (transfer.buffer.size() >= kBufferBytes) {
      transfer.receive_paused = true;
      transfer.wants_resume = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    if (transfer.response.received_bytes + size > transfer.request->max_streamed_bytes) {
      return stop_with(transfer, TransportFault::too_large,
                       fmt::format("more than the expected {} bytes came", transfer.request->max_streamed_bytes));
    }
    transfer.response.received_bytes += size;
    transfer.buffer.append(data, size);
    transfer.held.set(2 * transfer.buffer.capacity());
    if (transfer.buffer.size() >= kWorthWaking) transfer.changed.notify_all();
    return size;
  }
  transfer.response.received_bytes += size;
  std::string& body = transfer.response.body;
  if (transfer.response.status >= 400) {
    body.append(data, std::min(size, kMaxErrorBodyBytes - body.size()));
    if (body.size() < kMaxErrorBodyBytes) return size;
    transfer.cut_off = true;
    return 0;
  }
  if (body.size() + size > transfer.request->max_body_bytes) {
    return stop_with(transfer, TransportFault::too_large,
                     fmt::format("the answer is larger than the {} bytes allowed", transfer.request->max_body_bytes));
  }
  body.append(data, size);
  transfer.held.set(body.capacity());
  return size;
}

// Asked once all of the buffer before was sent.
std::size_t on_send(char* buffer, std::size_t, std::size_t size, void* user) {
  CurlTransfer& transfer = transfer_of(user);
  transfer.progress_at = monotonic_seconds();
  try {
    const auto count = transfer.request->body->read(buffer, size);
    if (!count) {
      transfer.send_paused = true;
      return CURL_READFUNC_PAUSE;
    }
    if (*count == 0) transfer.sending_done = true;
    transfer.handed_over += *count;
    if (transfer.handed_over >= transfer.request->body->size()) transfer.sending_done = true;
    return *count;
  } catch (...) {
    const std::lock_guard lock(transfer.mutex);
    transfer.exception = std::current_exception();
    return CURL_READFUNC_ABORT;
  }
}

// curl would read standard input where no function is given.
std::size_t send_nothing(char*, std::size_t, std::size_t, void*) { return 0; }

int on_seek(void* user, curl_off_t offset, int origin) {
  CurlTransfer& transfer = transfer_of(user);
  if (offset != 0 || origin != SEEK_SET || !transfer.request->body->rewind()) return CURL_SEEKFUNC_CANTSEEK;
  transfer.handed_over = 0;
  transfer.sending_done = false;
  return CURL_SEEKFUNC_OK;
}

bool address_allowed(CurlTransfer& transfer, std::string_view address) {
  if (transfer.through_proxy) return true;
  if (classify_address(address) <= transfer.request->most_private) return true;
  transfer.refused_address = std::string(address);
  return false;
}

curl_socket_t on_open_socket(void* user, curlsocktype, curl_sockaddr* address) {
  CurlTransfer& transfer = transfer_of(user);
  char text[NI_MAXHOST];
  if (::getnameinfo(&address->addr, address->addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) {
    return CURL_SOCKET_BAD;
  }
  if (!address_allowed(transfer, text)) return CURL_SOCKET_BAD;
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// Once more for each request, since a kept connection opens no socket.
int on_connected(void* user, char* remote, char*, int, int) {
  CurlTransfer& transfer = transfer_of(user);
  transfer.connected = true;
  transfer.progress_at = monotonic_seconds();
  if (!address_allowed(transfer, remote)) return CURL_PREREQFUNC_ABORT;
  const std::lock_guard lock(transfer.mutex);
  if (!transfer.through_proxy) transfer.response.remote_address = remote;
  return CURL_PREREQFUNC_OK;
}

TransportFault fault_of(CURLcode code, bool connected) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return TransportFault::resolve;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
      return TransportFault::connect;
    case CURLE_OPERATION_TIMEDOUT:
      return connected ? TransportFault::stalled : TransportFault::connect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return TransportFault::tls;
    case CURLE_PARTIAL_FILE:
      return TransportFault::truncated;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return TransportFault::protocol;
    default:
      return TransportFault::reset;
  }
}

void set_certificates(CurlTransfer& transfer, const HttpRequest& request, const HttpOptions& options) {
  CURL* easy = transfer.easy;
  if (!request.url.is_https()) return;
  if (request.tls == TlsCheck::none) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  const std::string& bundle = options.extra_authorities_file;
  if (!bundle.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, bundle.c_str());
  if (!options.certificates) return;
  transfer.certificates = options.certificates(request.url.authority());
  const HostCertificates& own = transfer.certificates;
  if (!own.authorities.empty()) {
    // In place of the bundle; the system's folder of authorities (CURLOPT_CAPATH's default) stays trusted.
    std::string text = join(own.authorities, "\n");
    if (!bundle.empty()) text += "\n" + read_file(bundle);
    curl_blob blob{text.data(), text.size(), CURL_BLOB_COPY};
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
  }
  if (!own.client_certificate.empty()) {
    curl_easy_setopt(easy, CURLOPT_SSLCERT, own.client_certificate.c_str());
    curl_easy_setopt(easy, CURLOPT_SSLKEY, own.client_key.c_str());
  }
}

void set_method(CurlTransfer& transfer, const HttpRequest& request) {
  CURL* easy = transfer.easy;
  if (request.method == HttpMethod::head) {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  const bool takes_body =
      request.method == HttpMethod::put || request.method == HttpMethod::post || request.method == HttpMethod::patch;
  if (takes_body) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body ? request.body->size() : 0));
    if (request.body) {
      curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
      curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
      curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
      curl_easy_setopt(easy, CURLOPT_SEEKDATA, &transfer);
    } else {
      curl_easy_setopt(easy, CURLOPT_READFUNCTION, send_nothing);
    }
  }
  if (request.method != HttpMethod::get) {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, std::string(to_string(request.method)).c_str());
  }
}

}  // namespace

void prepare(CurlTransfer& transfer, const HttpRequest& request, const HttpOptions& options) {
  transfer.request = &request;
  transfer.progress_bytes = std::max<std::size_t>(
      1, static_cast<std::size_t>(options.least_bytes_per_second * options.stall_timeout_ms / 1000));
  transfer.easy = curl_easy_init();
  if (!transfer.easy) throw Error(Category::machine, "libcurl is out of memory");
  CURL* easy = transfer.easy;
  const std::string url = request.url.str();
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.error_text);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_ms));
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_received);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, &transfer);

  const auto proxy = options.proxies.proxy_for(request.url);
  transfer.through_proxy = proxy.has_value();
  curl_easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy->c_str() : "");
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");

  set_certificates(transfer, request, options);
  set_method(transfer, request);
  for (const auto& [name, value] : request.headers.fields()) {
    const std::string field = value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value);
    transfer.fields = curl_slist_append(transfer.fields, field.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.fields);
}

HttpResponse answer_of(CurlTransfer& transfer) {
  transfer.response.through_proxy = transfer.through_proxy;
  if (transfer.response.was_stopped) return std::move(transfer.response);
  if (transfer.exception) std::rethrow_exception(transfer.exception);
  const HttpRequest& request = *transfer.request;
  if (transfer.cut_off || (transfer.code == CURLE_OK && !transfer.fault)) {
    if (transfer.response.status != 0) return std::move(transfer.response);
    transfer.fault = TransportFault::protocol;
    transfer.fault_text = "no HTTP answer came";
  }
  if (!transfer.fault && !transfer.refused_address.empty() && !transfer.connected) {
    transfer.fault = TransportFault::refused;
  }
  if (!transfer.refused_address.empty() && transfer.code == CURLE_ABORTED_BY_CALLBACK) {
    transfer.fault = TransportFault::refused;
  }
  if (transfer.fault == TransportFault::refused) {
    transfer.fault_text = fmt::format("it leads to the {} address {}, which the registry has no business with",
                                      to_string(classify_address(transfer.refused_address)), transfer.refused_address);
  }
  // curl's answer to a line of a header that is longer than 100 KiB, for which it has no word of its own.
  if (!transfer.fault && transfer.code == CURLE_OUT_OF_MEMORY && transfer.connected && !transfer.header_done) {
    transfer.fault = TransportFault::header;
    transfer.fault_text = "a line of the answer's header is longer than 100 KiB";
  }
  if (!transfer.fault) {
    transfer.fault = fault_of(transfer.code, transfer.connected);
    std::string text = transfer.error_text[0] ? transfer.error_text : curl_easy_strerror(transfer.code);
    // curl names the URL in a few messages; what stands behind '?' is not for printing.
    if (const std::size_t question = text.find('?'); question != std::string::npos) text.resize(question);
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z' && !(text.size() > 1 && text[1] >= 'A' && text[1] <= 'Z')) {
      text[0] = static_cast<char>(text[0] + 32);
    }
    // OpenSSL's words for an answer that begins like "HTTP/1.1 400".
    const bool is_plain =
        transfer.fault == TransportFault::tls &&
        (text.find("wrong version number") != std::string::npos ||
         text.find("packet length too long") != std::string::npos || text.find("http request") != std::string::npos);
    if (is_plain) {
      transfer.fault = TransportFault::no_tls;
      text = "what answers there speaks no TLS, maybe plain http";
    }
    transfer.fault_text = printable(text);
  }
  throw TransportError(
      *transfer.fault,
      fmt::format("{} '{}': {}", to_string(request.method), request.url.redacted(), transfer.fault_text),
      transfer.response.sent_bytes, transfer.response.received_bytes);
}

}  // namespace kiln
