#include "builder/steps/fetched_source.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/error.hpp"
#include "base/http_date.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

constexpr int kMostRedirects = 10;

// 1970 where it is missing or none.
UnixSeconds last_modified(const HttpHeaders& headers) {
  return parse_http_date(headers.find("Last-Modified").value_or("")).value_or(0);
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Downloads into a file that is there, and returns its time.
UnixSeconds download(HttpClient& http, Url url, const std::string& checksum, const Fd& file,
                     const CancelToken& cancel) {
  AddressClass most_private = AddressClass::loopback;
  for (int hop = 0; hop <= kMostRedirects; ++hop) {
    oci::Sha256 hash;
    HttpRequest request;
    request.url = url;
    request.headers.add("Accept", "*/*");
    request.most_private = most_private;
    request.wants_body = [](int status, const HttpHeaders&) { return status == 200; };
    request.on_body = [&](std::string_view bytes) {
      hash.update(bytes);
      write_all(file, bytes, url.redacted());
    };
    const HttpResponse response = http.send(request, cancel);
    if (is_redirect(response.status)) {
      const auto location = response.headers.find("Location");
      if (!location)
        throw Error(Category::network, fmt::format("GET '{}': a redirect without a Location", url.redacted()));
      url = url.resolve(*location);
      // A host of the open internet leads into the machine's own network for no request.
      if (!response.through_proxy) most_private = classify_address(response.remote_address);
      continue;
    }
    if (response.status != 200) {
      throw Error(Category::network,
                  fmt::format("GET '{}': expected status 200, got {}", url.redacted(), response.status));
    }
    const oci::Digest got = hash.finish();
    if (!checksum.empty() && got != oci::Digest::parse(checksum)) {
      throw Error(Category::network,
                  fmt::format("'{}': expected checksum {}, got {}", url.redacted(), checksum, got.str()));
    }
    return last_modified(response.headers);
  }
  throw Error(Category::network, fmt::format("GET '{}': more than {} redirects", url.redacted(), kMostRedirects));
}

}  // namespace

FetchedSource::FetchedSource(TempDir folder, const fs::path& shown, ThreadPool& pool, CancelToken cancel,
                             std::string description)
    : ContextSource(shown, dockerfile::IgnoreMatcher(std::vector<std::string>{}), ContextModes::as_on_disk, nullptr,
                    pool, std::move(cancel), std::move(description)),
      folder_(std::move(folder)) {}

bool is_http_url(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

std::string file_name_of_url(std::string_view url) {
  std::string_view path = url.substr(url.find("://") + 3);
  path = path.substr(0, path.find_first_of("?#"));
  const std::size_t slash = path.find('/');
  path = slash == std::string_view::npos ? "" : path.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  const std::string name = percent_decoded(path.substr(path.rfind('/') + 1));
  const bool is_name = !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
                       name.find('\0') == std::string::npos;
  return is_name ? name : "__unnamed__";
}

void download_url(HttpClient& http, const std::string& url, const std::string& checksum, const Fd& file,
                  const CancelToken& cancel) {
  const Url parsed = Url::parse(url.substr(0, url.find('#')));
  const UnixSeconds time = download(http, parsed, checksum, file, cancel);
  const timespec times[2] = {{time, 0}, {time, 0}};
  if (::futimens(file.get(), times) != 0) throw_errno("set the time of", parsed.redacted());
}

std::shared_ptr<FetchedSource> fetch_url(HttpClient& http, const std::string& url, const std::string& checksum,
                                         const fs::path& work, ThreadPool& pool, const CancelToken& cancel) {
  TempDir folder(work, "url-");
  download_url(http, url, checksum, create_file(folder.path() / file_name_of_url(url), 0600), cancel);
  const fs::path shown = folder.path();
  return std::make_shared<FetchedSource>(std::move(folder), shown, pool, cancel,
                                         fmt::format("'{}'", Url::parse(url.substr(0, url.find('#'))).redacted()));
}

}  // namespace kiln
