#include "registry/remote/raw_connection.hpp"

#include <curl/curl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "base/base64.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "registry/remote/http.hpp"

namespace kiln {

namespace {

constexpr std::size_t kReceiveBytes = std::size_t{64} << 10;

TransportFault connect_fault(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return TransportFault::resolve;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return TransportFault::tls;
    default:
      return TransportFault::connect;
  }
}

// A proxy as people write it: [SCHEME://][USER[:PASSWORD]@]HOST[:PORT].
struct ProxyWords {
  explicit ProxyWords(std::string_view text) {
    if (const std::size_t mark = text.find("://"); mark != std::string_view::npos) {
      scheme = to_lower(text.substr(0, mark));
      text.remove_prefix(mark + 3);
    }
    text = text.substr(0, text.find('/'));
    if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
      authorization = "Basic " + base64_encoded(percent_decoded(text.substr(0, at)));
      text.remove_prefix(at + 1);
    }
    address = text;
  }
  bool speaks_http() const { return scheme == "http" || scheme == "https"; }

  std::string scheme = "http";
  std::string authorization;
  std::string address;
};

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const RawConnection::Options*>(user)->is_cancelled() ? 1 : 0;
}

// What may be connected to, and what was refused.
struct AddressGate {
  AddressClass most_private;
  std::string refused;

  bool lets(std::string_view address) {
    if (classify_address(address) <= most_private) return true;
    refused = address;
    return false;
  }
};

curl_socket_t open_allowed_socket(void* user, curlsocktype, curl_sockaddr* address) {
  char text[NI_MAXHOST];
  if (::getnameinfo(&address->addr, address->addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0 ||
      !static_cast<AddressGate*>(user)->lets(text)) {
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

TransportError refused_address(const Url& url, const std::string& address) {
  return TransportError(
      TransportFault::refused,
      fmt::format("'{}': its address {} is {}, which is not reached; where it is meant give it a name: --add-host "
                  "NAME:{}",
                  url.origin(), address, to_string(classify_address(address)), address),
      0, 0);
}

}  // namespace

struct RawConnection::State {
  ~State() {
    if (easy) curl_easy_cleanup(easy);
    curl_slist_free_all(resolved);
  }
  CURL* easy = nullptr;
  curl_slist* resolved = nullptr;
  curl_socket_t socket = CURL_SOCKET_BAD;
  bool is_at_proxy = false;
  std::string authorization;
  // OpenSSL wants what it could not send to be given again at the same place.
  std::string pending;
  std::size_t sent = 0;
};

RawConnection::RawConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
RawConnection::RawConnection(RawConnection&&) noexcept = default;
RawConnection& RawConnection::operator=(RawConnection&&) noexcept = default;
RawConnection::~RawConnection() = default;

RawConnection RawConnection::open(const Url& url, const Options& options) { return connect(url, options, false); }

RawConnection RawConnection::open_tunnel(const Url& url, const Options& options) { return connect(url, options, true); }

RawConnection RawConnection::connect(const Url& url, const Options& options, bool is_tunnel) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialised != CURLE_OK) throw Error(Category::machine, "libcurl cannot be initialised");
  auto state = std::make_unique<State>();
  state->easy = curl_easy_init();
  if (!state->easy) throw Error(Category::machine, "libcurl is out of memory");
  CURL* easy = state->easy;
  std::string target = is_tunnel ? fmt::format("http://{}:{}", url.host, url.port) : url.origin();
  const auto proxy = options.proxies.proxy_for(url);
  if (proxy) {
    const ProxyWords words(*proxy);
    // Many proxies refuse a tunnel to a server of plain http: such a request is sent to the proxy itself.
    state->is_at_proxy = !is_tunnel && !url.is_https() && words.speaks_http();
    if (state->is_at_proxy) {
      target = words.scheme + "://" + words.address;
      state->authorization = words.authorization;
    }
  }
  const bool is_given = std::any_of(options.hosts.begin(), options.hosts.end(),
                                    [&](const auto& host) { return equals_ignoring_case(host.first, url.host); });
  AddressGate gate{is_given ? AddressClass::link_local : options.most_private, ""};
  // A proxy resolves names for itself; an address it would be asked for can be refused here.
  if (is_numeric_address(url.host) && !gate.lets(url.host)) throw refused_address(url, gate.refused);
  char error_text[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(easy, CURLOPT_URL, target.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_ms));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &options);
  curl_easy_setopt(easy, CURLOPT_PROXY, proxy && !state->is_at_proxy ? proxy->c_str() : "");
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  if (is_tunnel) curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
  if (!proxy) {
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_allowed_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &gate);
  }
  if (!options.authorities.empty()) {
    curl_blob blob{const_cast<char*>(options.authorities.data()), options.authorities.size(), CURL_BLOB_COPY};
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
  }
  for (const auto& [name, address] : options.hosts) {
    state->resolved = curl_slist_append(state->resolved, fmt::format("{}:{}:{}", name, url.port, address).c_str());
  }
  curl_easy_setopt(easy, CURLOPT_RESOLVE, state->resolved);
  const CURLcode code = curl_easy_perform(easy);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
  if (code == CURLE_OK) curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &state->socket);
  if (code != CURLE_OK && !gate.refused.empty()) throw refused_address(url, gate.refused);
  if (code != CURLE_OK || state->socket == CURL_SOCKET_BAD) {
    const std::string text = error_text[0] ? error_text : curl_easy_strerror(code);
    throw TransportError(connect_fault(code), fmt::format("'{}': {}", url.origin(), printable(text)), 0, 0);
  }
  return RawConnection(std::move(state));
}

std::optional<std::string> RawConnection::read() {
  std::array<char, kReceiveBytes> buffer;
  std::size_t got = 0;
  const CURLcode code = curl_easy_recv(state_->easy, buffer.data(), buffer.size(), &got);
  if (code == CURLE_AGAIN) return std::nullopt;
  if (code == CURLE_OK) return std::string(buffer.data(), got);
  throw Error(Category::network, fmt::format("the server's connection broke: {}", curl_easy_strerror(code)));
}

std::size_t RawConnection::write(std::string_view bytes) {
  if (bytes.empty() || !flush()) return 0;
  state_->pending = bytes.substr(0, kReceiveBytes);
  state_->sent = 0;
  const std::size_t taken = state_->pending.size();
  flush();
  return taken;
}

bool RawConnection::flush() {
  while (state_->sent < state_->pending.size()) {
    std::size_t put = 0;
    const CURLcode code = curl_easy_send(state_->easy, state_->pending.data() + state_->sent,
                                         state_->pending.size() - state_->sent, &put);
    if (code == CURLE_AGAIN) return false;
    if (code != CURLE_OK) {
      throw Error(Category::network, fmt::format("the server's connection broke: {}", curl_easy_strerror(code)));
    }
    state_->sent += put;
  }
  return true;
}

int RawConnection::descriptor() const { return state_->socket; }

bool RawConnection::wants_absolute_target() const { return state_->is_at_proxy; }

const std::string& RawConnection::proxy_authorization() const { return state_->authorization; }

}  // namespace kiln
