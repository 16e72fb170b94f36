#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/held_bytes.hpp"
#include "base/text.hpp"
#include "registry/remote/http.hpp"

// How the threads meet: send() hands a Transfer to the I/O thread by a command and then waits on the
// transfer's condition variable. The I/O thread runs curl and appends what arrives to the transfer's buffer;
// the waiting thread takes it from there and calls on_body, so that hashing and writing never hold up the
// other transfers. A full buffer pauses the transfer within curl; the waiting thread asks for it to go on
// once it has emptied the buffer. (Calling on_body on the I/O thread was rejected: one slow disk write would
// stall every connection.)

namespace kiln {

namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;  // per transfer, before it is paused
constexpr std::size_t kMaxHeaderBytes = std::size_t{512} << 10;
constexpr std::size_t kMaxErrorBodyBytes = std::size_t{64} << 10;
constexpr auto kPollInterval = std::chrono::milliseconds(50);  // how soon a waiting thread notices a cancel

struct Transfer {
  const HttpRequest* request = nullptr;
  CURL* easy = nullptr;
  curl_slist* fields = nullptr;
  HostCertificates certificates;
  char error_text[CURL_ERROR_SIZE] = {};
  bool through_proxy = false;

  // I/O thread only
  bool connected = false;
  bool header_done = false;
  bool sending_done = false;
  bool receive_paused = false;
  bool send_paused = false;
  bool streaming = false;
  bool cut_off = false;  // the rest of an error's body was not wanted
  std::size_t header_bytes = 0;
  double progress_at = 0;
  curl_off_t uploaded = 0;
  std::string refused_address;
  std::optional<TransportFault> fault;
  std::string fault_text;

  // shared, under the mutex
  std::mutex mutex;
  std::condition_variable changed;
  std::string buffer;
  HeldBytes held{BufferOwner::transfers, 0};  // the buffer, the piece that is swapped for it, an answer kept whole
  bool wants_resume = false;
  bool done = false;
  CURLcode code = CURLE_OK;
  HttpResponse response;
  std::exception_ptr exception;
  std::atomic<std::uint64_t> handed_over{0};  // bytes of the body given to curl

  ~Transfer() {
    if (easy) curl_easy_cleanup(easy);
    curl_slist_free_all(fields);
  }
};

using TransferPtr = std::shared_ptr<Transfer>;

Transfer& transfer_of(void* pointer) { return *static_cast<Transfer*>(pointer); }

std::size_t stop_with(Transfer& transfer, TransportFault fault, std::string text) {
  transfer.fault = fault;
  transfer.fault_text = std::move(text);
  return 0;
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  Transfer& transfer = transfer_of(user);
  transfer.progress_at = monotonic_seconds();
  transfer.header_bytes += size;
  if (transfer.header_bytes > kMaxHeaderBytes) {
    return stop_with(transfer, TransportFault::protocol, "the answer's header is endless");
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
      transfer.response.headers.add(std::string(line.substr(0, colon)),
                                    std::string(trim(line.substr(colon + 1))));
    }
    return size;
  }
  long status = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) return size;
  transfer.header_done = true;
  transfer.response.status = static_cast<int>(status);
  const HttpRequest& request = *transfer.request;
  transfer.streaming = request.on_body && (request.wants_body ? request.wants_body(transfer.response.status,
                                                                                   transfer.response.headers)
                                                              : status < 300);
  return size;
}

std::size_t on_received(char* data, std::size_t, std::size_t size, void* user) {
  Transfer& transfer = transfer_of(user);
  transfer.progress_at = monotonic_seconds();
  const std::lock_guard lock(transfer.mutex);
  if (transfer.streaming) {
    if (transfer.buffer.size() >= kBufferBytes) {
      transfer.receive_paused = true;
      transfer.wants_resume = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    if (transfer.response.received_bytes + size > transfer.request->max_streamed_bytes) {
      return stop_with(
          transfer, TransportFault::too_large,
          fmt::format("more than the expected {} bytes came", transfer.request->max_streamed_bytes));
    }
    transfer.response.received_bytes += size;
    transfer.buffer.append(data, size);
    transfer.held.set(2 * transfer.buffer.capacity());
    transfer.changed.notify_all();
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
    return stop_with(
        transfer, TransportFault::too_large,
        fmt::format("the answer is larger than the {} bytes allowed", transfer.request->max_body_bytes));
  }
  body.append(data, size);
  transfer.held.set(body.capacity());
  return size;
}

std::size_t on_send(char* buffer, std::size_t, std::size_t size, void* user) {
  Transfer& transfer = transfer_of(user);
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
  Transfer& transfer = transfer_of(user);
  if (offset != 0 || origin != SEEK_SET || !transfer.request->body->rewind()) return CURL_SEEKFUNC_CANTSEEK;
  transfer.handed_over = 0;
  transfer.sending_done = false;
  return CURL_SEEKFUNC_OK;
}

bool address_allowed(Transfer& transfer, std::string_view address) {
  if (transfer.through_proxy) return true;
  if (classify_address(address) <= transfer.request->most_private) return true;
  transfer.refused_address = std::string(address);
  return false;
}

curl_socket_t on_open_socket(void* user, curlsocktype, curl_sockaddr* address) {
  Transfer& transfer = transfer_of(user);
  char text[NI_MAXHOST];
  if (::getnameinfo(&address->addr, address->addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) {
    return CURL_SOCKET_BAD;
  }
  if (!address_allowed(transfer, text)) return CURL_SOCKET_BAD;
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// Once more for each request, since a kept connection opens no socket.
int on_connected(void* user, char* remote, char*, int, int) {
  Transfer& transfer = transfer_of(user);
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

std::string bundle_from_environment() {
  const char* file = ::getenv("SSL_CERT_FILE");
  return file ? file : "";
}

class CurlClient : public HttpClient {
 public:
  explicit CurlClient(HttpOptions options) : options_(std::move(options)) {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (initialised != CURLE_OK) throw Error(Category::machine, "libcurl cannot be initialised");
    multi_ = curl_multi_init();
    if (!multi_) throw Error(Category::machine, "libcurl cannot be initialised");
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 64L);
    if (options_.extra_authorities_file.empty()) options_.extra_authorities_file = bundle_from_environment();
    thread_ = std::thread([this] { run(); });
  }

  ~CurlClient() override {
    stopping_ = true;
    curl_multi_wakeup(multi_);
    thread_.join();
    curl_multi_cleanup(multi_);
  }

  HttpResponse send(const HttpRequest& request, const CancelToken& cancel) override {
    cancel.check();
    const auto transfer = std::make_shared<Transfer>();
    prepare(*transfer, request);
    if (request.body) {
      const std::weak_ptr<Transfer> weak = transfer;
      request.body->set_wake([this, weak] {
        if (const auto alive = weak.lock()) command([this, alive] { resume(alive); });
      });
    }
    struct WakeReset {
      RequestBody* body;
      ~WakeReset() {
        if (body) body->set_wake({});
      }
    } reset{request.body.get()};
    command([this, transfer] { start(transfer); });
    try {
      wait_for(transfer, cancel);
    } catch (...) {
      abandon(transfer);
      throw;
    }
    return answer_of(*transfer);
  }

 private:
  void prepare(Transfer& transfer, const HttpRequest& request) {
    transfer.request = &request;
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
    curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_ms));
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

    const auto proxy = options_.proxies.proxy_for(request.url);
    transfer.through_proxy = proxy.has_value();
    curl_easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy->c_str() : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");

    set_certificates(transfer, request);
    set_method(transfer, request);
    for (const auto& [name, value] : request.headers.fields()) {
      const std::string field = value.empty() ? name + ";" : name + ": " + value;
      transfer.fields = curl_slist_append(transfer.fields, field.c_str());
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.fields);
  }

  void set_certificates(Transfer& transfer, const HttpRequest& request) {
    CURL* easy = transfer.easy;
    if (!request.url.is_https()) return;
    if (request.tls == TlsCheck::none) {
      curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
      curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    const std::string& bundle = options_.extra_authorities_file;
    if (!bundle.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, bundle.c_str());
    if (!options_.certificates) return;
    transfer.certificates = options_.certificates(request.url.authority());
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

  static void set_method(Transfer& transfer, const HttpRequest& request) {
    CURL* easy = transfer.easy;
    if (request.method == HttpMethod::head) {
      curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
      return;
    }
    const bool takes_body = request.method == HttpMethod::put || request.method == HttpMethod::post ||
                            request.method == HttpMethod::patch;
    if (takes_body) {
      curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                       static_cast<curl_off_t>(request.body ? request.body->size() : 0));
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

  void command(std::function<void()> action) {
    {
      const std::lock_guard lock(mutex_);
      commands_.push_back(std::move(action));
    }
    curl_multi_wakeup(multi_);
  }

  // On the thread that called send().
  void wait_for(const TransferPtr& transfer, const CancelToken& cancel) {
    const HttpRequest& request = *transfer->request;
    std::uint64_t told = 0;
    std::string piece;
    for (;;) {
      bool resume_needed;
      bool done;
      {
        std::unique_lock lock(transfer->mutex);
        transfer->changed.wait_for(lock, kPollInterval,
                                   [&] { return transfer->done || !transfer->buffer.empty(); });
        piece.clear();
        piece.swap(transfer->buffer);
        resume_needed = std::exchange(transfer->wants_resume, false);
        done = transfer->done;
      }
      if (resume_needed && !done) command([this, transfer] { resume(transfer); });
      if (!piece.empty()) request.on_body(piece);
      const std::uint64_t sent = transfer->handed_over;
      if (request.on_sent && sent != told) request.on_sent(told = sent);
      if (done && piece.empty()) return;
      if (!done) cancel.check();
    }
  }

  void abandon(const TransferPtr& transfer) {
    command([this, transfer] { finish(transfer, CURLE_ABORTED_BY_CALLBACK); });
    std::unique_lock lock(transfer->mutex);
    transfer->changed.wait(lock, [&] { return transfer->done; });
  }

  HttpResponse answer_of(Transfer& transfer) {
    if (transfer.exception) std::rethrow_exception(transfer.exception);
    transfer.response.through_proxy = transfer.through_proxy;
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
      transfer.fault_text =
          fmt::format("it leads to the {} address {}, which the registry has no business with",
                      to_string(classify_address(transfer.refused_address)), transfer.refused_address);
    }
    if (!transfer.fault) {
      transfer.fault = fault_of(transfer.code, transfer.connected);
      std::string text = transfer.error_text[0] ? transfer.error_text : curl_easy_strerror(transfer.code);
      // curl names the URL in a few messages; what stands behind '?' is not for printing.
      if (const std::size_t question = text.find('?'); question != std::string::npos) text.resize(question);
      if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z' &&
          !(text.size() > 1 && text[1] >= 'A' && text[1] <= 'Z')) {
        text[0] = static_cast<char>(text[0] + 32);
      }
      transfer.fault_text = printable(text);
    }
    throw TransportError(
        *transfer.fault,
        fmt::format("{} '{}': {}", to_string(request.method), request.url.redacted(), transfer.fault_text),
        transfer.response.sent_bytes, transfer.response.received_bytes);
  }

  // From here on: the I/O thread.

  void start(const TransferPtr& transfer) {
    transfer->progress_at = monotonic_seconds();
    active_[transfer->easy] = transfer;
    if (curl_multi_add_handle(multi_, transfer->easy) != CURLM_OK) finish(transfer, CURLE_OUT_OF_MEMORY);
  }

  void resume(const TransferPtr& transfer) {
    if (!active_.contains(transfer->easy)) return;
    if (!transfer->receive_paused && !transfer->send_paused) return;
    transfer->receive_paused = transfer->send_paused = false;
    transfer->progress_at = monotonic_seconds();
    const CURLcode code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    if (code != CURLE_OK) finish(transfer, code);
  }

  void finish(const TransferPtr& transfer, CURLcode code) {
    if (active_.erase(transfer->easy) != 0) {
      curl_off_t uploaded = 0;
      curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
      curl_multi_remove_handle(multi_, transfer->easy);
      const std::lock_guard lock(transfer->mutex);
      transfer->response.sent_bytes = static_cast<std::uint64_t>(uploaded);
    }
    const std::lock_guard lock(transfer->mutex);
    if (!transfer->done) transfer->code = code;
    transfer->done = true;
    transfer->changed.notify_all();
  }

  void run() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (!stopping_) {
      run_commands();
      int running = 0;
      curl_multi_perform(multi_, &running);
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const auto found = active_.find(message->easy_handle);
        const CURLcode code = message->data.result;
        if (found != active_.end()) finish(TransferPtr(found->second), code);
      }
      curl_multi_poll(multi_, nullptr, 0, stop_stalled(), nullptr);
    }
    while (!active_.empty()) finish(TransferPtr(active_.begin()->second), CURLE_ABORTED_BY_CALLBACK);
    run_commands();
  }

  void run_commands() {
    std::deque<std::function<void()>> commands;
    {
      const std::lock_guard lock(mutex_);
      commands.swap(commands_);
    }
    for (const auto& action : commands) action();
  }

  // Ends transfers on which nothing moved for too long; returns the milliseconds until the next could be one.
  int stop_stalled() {
    const double now = monotonic_seconds();
    double next = now + 1;
    std::vector<TransferPtr> stalled;
    for (const auto& [easy, transfer] : active_) {
      if (!transfer->connected || transfer->receive_paused || transfer->send_paused) continue;
      curl_off_t uploaded = 0;
      curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
      if (uploaded != transfer->uploaded) {
        transfer->uploaded = uploaded;
        transfer->progress_at = now;
      }
      const bool waits_for_answer =
          transfer->request->body && transfer->sending_done && !transfer->header_done;
      const double limit =
          (waits_for_answer ? options_.answer_timeout_ms : options_.stall_timeout_ms) / 1000.0;
      if (now - transfer->progress_at >= limit) {
        transfer->fault = TransportFault::stalled;
        transfer->fault_text = fmt::format("nothing moved for {}", human_seconds(limit));
        stalled.push_back(transfer);
      } else {
        next = std::min(next, transfer->progress_at + limit);
      }
    }
    for (const TransferPtr& transfer : stalled) finish(transfer, CURLE_OPERATION_TIMEDOUT);
    return std::max(1, static_cast<int>((next - now) * 1000));
  }

  HttpOptions options_;
  CURLM* multi_ = nullptr;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::deque<std::function<void()>> commands_;
  std::map<CURL*, TransferPtr> active_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<HttpClient> make_curl_client(HttpOptions options) {
  return std::make_unique<CurlClient>(std::move(options));
}

}  // namespace kiln
