#pragma once

#include <curl/curl.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <string>

#include "base/held_bytes.hpp"
#include "registry/remote/http.hpp"

// For http_curl.cpp alone, which says how the threads meet.

namespace kiln {

// One request within libcurl.
struct CurlTransfer {
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
  std::size_t progress_bytes = 1;  // that make progress
  double progress_at = 0;
  std::size_t since_progress = 0;  // bytes that came after it
  curl_off_t uploaded = 0;         // when there was progress last
  double answered_at = 0;          // when the header was whole
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

  ~CurlTransfer() {
    if (easy) curl_easy_cleanup(easy);
    curl_slist_free_all(fields);
  }
};

// Makes the handle and tells it everything about a request, which must outlive the transfer.
void prepare(CurlTransfer& transfer, const HttpRequest& request, const HttpOptions& options);
// Of a transfer that is done: the answer; what a body threw, or TransportError, where there is none.
HttpResponse answer_of(CurlTransfer& transfer);

}  // namespace kiln
