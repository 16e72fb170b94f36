#include "builder/netlog/recording_proxy.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <list>
#include <thread>

#include "base/block_signals.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/netlog/proxied_connection.hpp"

// A thread for each connection, and not one loop for all: a connection to a server is made by libcurl, which waits for
// it, and a digest is computed where the bytes pass. Programs open a few dozen connections.

namespace kiln {

namespace {

template <class Set, class Item>
void insert_bounded(Set& set, Item item) {
  if (set.size() < RecordingProxy::kMostFindings) set.insert(std::move(item));
}

}  // namespace

void ProxyNotes::add(Download download) {
  const std::lock_guard lock(mutex_);
  record_.add(std::move(download));
}

void ProxyNotes::add(const Tunnel& tunnel) {
  const std::lock_guard lock(mutex_);
  record_.add(tunnel);
}

void ProxyNotes::note_refused(const std::string& host, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  insert_bounded(refused_, RefusedCertificate{host, reason});
}

void ProxyNotes::note_unused(const std::string& host) {
  const std::lock_guard lock(mutex_);
  insert_bounded(unused_, host);
}

void ProxyNotes::note_trusted(const std::string& host) {
  const std::lock_guard lock(mutex_);
  insert_bounded(trusted_, host);
}

void ProxyNotes::note_failure(const std::string& text) {
  const std::lock_guard lock(mutex_);
  insert_bounded(failures_, text);
}

ProxyFindings ProxyNotes::take() {
  const std::lock_guard lock(mutex_);
  for (const std::string& host : unused_) {
    if (!trusted_.count(host)) insert_bounded(refused_, RefusedCertificate{host, "it hung up without a request"});
  }
  return {std::move(record_), {refused_.begin(), refused_.end()}, {failures_.begin(), failures_.end()}};
}

struct RecordingProxy::State {
  State(Fd socket, CertificateAuthority& authority, RecordingOptions options)
      : listener(std::move(socket)),
        shared{authority, std::move(options), {}, Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))} {
    if (!shared.stop) throw_errno("create", "an eventfd");
    shared.options.upstream.is_cancelled = [this] { return is_stopping.load(); };
  }

  struct Connection {
    std::atomic<bool> is_over{false};
    std::thread thread;
  };

  void accept_all() {
    block_signals();
    for (;;) {
      std::array<pollfd, 2> polled{pollfd{listener.get(), POLLIN, 0}, pollfd{shared.stop.get(), POLLIN, 0}};
      if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
      if (polled[1].revents != 0) return;
      if (polled[0].revents == 0) continue;
      Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client) serve(std::move(client));
    }
  }

  void serve(Fd client) {
    connections.remove_if([](Connection& connection) {
      if (!connection.is_over) return false;
      connection.thread.join();
      return true;
    });
    const std::size_t most = shared.options.most_connections;
    if (connections.size() >= 2 * most) return;
    const bool is_busy = connections.size() >= most;
    Connection& connection = connections.emplace_back();
    try {
      connection.thread = std::thread([this, &connection, is_busy, socket = std::move(client)]() mutable {
        block_signals();
        try {
          ProxiedConnection proxied(std::move(socket), shared);
          is_busy ? proxied.serve_busy() : proxied.serve();
        } catch (const std::exception&) {
          // The program has hung up.
        }
        connection.is_over = true;
      });
    } catch (const std::system_error&) {
      connections.pop_back();  // no more threads: the program sees its connection end
    }
  }

  Fd listener;
  ProxyShared shared;
  std::atomic<bool> is_stopping{false};
  std::list<Connection> connections;  // the accepting thread's
  std::thread thread;
};

RecordingProxy::RecordingProxy(Fd listener, CertificateAuthority& authority, RecordingOptions options)
    : state_(std::make_unique<State>(std::move(listener), authority, std::move(options))) {
  state_->thread = std::thread([state = state_.get()] { state->accept_all(); });
}

RecordingProxy::~RecordingProxy() {
  if (state_->thread.joinable()) finish();
}

ProxyFindings RecordingProxy::finish() {
  state_->is_stopping = true;
  const std::uint64_t one = 1;
  if (::write(state_->shared.stop.get(), &one, sizeof one) < 0) throw_errno("wake", "the recording proxy");
  state_->thread.join();
  state_->listener.reset();
  for (State::Connection& connection : state_->connections) connection.thread.join();
  state_->connections.clear();
  return state_->shared.notes.take();
}

LoopbackListener listen_on_loopback(std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw_errno("create", "a socket");
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(socket.get(), 128) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw_errno("listen on", fmt::format("127.0.0.1:{}", port));
  }
  return {std::move(socket), ntohs(address.sin_port)};
}

bool is_listed_host(const std::vector<std::string>& list, const std::string& host) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& written) {
    const std::string pattern = to_lower(written);
    return pattern.starts_with("*.") ? host.ends_with(pattern.substr(1)) : host == pattern;
  });
}

}  // namespace kiln
