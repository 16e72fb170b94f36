#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "base/block_signals.hpp"
#include "base/clock.hpp"
#include "base/text.hpp"
#include "registry/remote/curl_transfer.hpp"
#include "registry/remote/http.hpp"

// How the threads meet: send() hands a CurlTransfer to the I/O thread by a command and then waits on the
// transfer's condition variable. The I/O thread runs curl and appends what arrives to the transfer's buffer;
// the waiting thread takes it from there and calls on_body, so that hashing and writing never hold up the
// other transfers. A full buffer pauses the transfer within curl; the waiting thread asks for it to go on
// once it has emptied the buffer. (Calling on_body on the I/O thread was rejected: one slow disk write would
// stall every connection.)

namespace kiln {

namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(50);  // how soon a waiting thread notices a cancel

using TransferPtr = std::shared_ptr<CurlTransfer>;

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
    const auto transfer = std::make_shared<CurlTransfer>();
    prepare(*transfer, request, options_);
    if (request.body) {
      const std::weak_ptr<CurlTransfer> weak = transfer;
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
      if (wait_for(transfer, cancel) == AfterPiece::stop) {
        abandon(transfer);
        transfer->response.was_stopped = true;
      }
    } catch (...) {
      abandon(transfer);
      throw;
    }
    return answer_of(*transfer);
  }

 private:
  void command(std::function<void()> action) {
    {
      const std::lock_guard lock(mutex_);
      commands_.push_back(std::move(action));
    }
    curl_multi_wakeup(multi_);
  }

  // On the thread that called send(): until the transfer is done, or its body is not wanted any more.
  AfterPiece wait_for(const TransferPtr& transfer, const CancelToken& cancel) {
    const HttpRequest& request = *transfer->request;
    std::uint64_t told = 0;
    std::string piece;
    for (;;) {
      bool resume_needed;
      bool done;
      {
        std::unique_lock lock(transfer->mutex);
        transfer->changed.wait_for(lock, kPollInterval, [&] { return transfer->done || !transfer->buffer.empty(); });
        piece.clear();
        piece.swap(transfer->buffer);
        resume_needed = std::exchange(transfer->wants_resume, false);
        done = transfer->done;
      }
      if (resume_needed && !done) command([this, transfer] { resume(transfer); });
      if (!piece.empty() && request.on_body(piece) == AfterPiece::stop) return AfterPiece::stop;
      const std::uint64_t sent = transfer->handed_over;
      if (request.on_sent && sent != told) request.on_sent(told = sent);
      if (done && piece.empty()) return AfterPiece::go_on;
      if (!done) cancel.check();
    }
  }

  void abandon(const TransferPtr& transfer) {
    command([this, transfer] { finish(transfer, CURLE_ABORTED_BY_CALLBACK); });
    std::unique_lock lock(transfer->mutex);
    transfer->changed.wait(lock, [&] { return transfer->done; });
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
    block_signals();
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
      const auto moved = static_cast<std::size_t>(uploaded - transfer->uploaded);
      if (uploaded < transfer->uploaded || moved >= transfer->progress_bytes) {
        transfer->uploaded = uploaded;
        transfer->progress_at = now;
      }
      const bool waits_for_answer = transfer->request->body && transfer->sending_done && !transfer->header_done;
      const double limit = (waits_for_answer ? options_.answer_timeout_ms : options_.stall_timeout_ms) / 1000.0;
      const bool is_kept = transfer->header_done && !transfer->streaming;
      const double kept_limit = options_.kept_body_timeout_ms / 1000.0;
      if (now - transfer->progress_at >= limit) {
        transfer->fault = TransportFault::stalled;
        const bool is_still = transfer->since_progress == 0 && uploaded == transfer->uploaded;
        transfer->fault_text =
            is_still ? fmt::format("nothing moved for {}", human_seconds(limit))
                     : fmt::format("next to nothing moved for {}: fewer than {} a second", human_seconds(limit),
                                   human_bytes(static_cast<std::uint64_t>(options_.least_bytes_per_second)));
        stalled.push_back(transfer);
      } else if (is_kept && now - transfer->answered_at >= kept_limit) {
        transfer->fault = TransportFault::stalled;
        transfer->fault_text = fmt::format("the answer is not whole {} after it began", human_seconds(kept_limit));
        stalled.push_back(transfer);
      } else {
        next = std::min(next, transfer->progress_at + limit);
        if (is_kept) next = std::min(next, transfer->answered_at + kept_limit);
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
