#include "builder/steps/fetched_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/http_date.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "builder/layer/compression.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

namespace {

constexpr int kMostRedirects = 10;

// Spaces of a path or query are written as they go out, as Go's client writes them.
std::string with_encoded_spaces(const std::string& text) {
  const std::size_t authority = text.find("://");
  const std::size_t begin =
      authority == std::string::npos ? 0 : std::min(text.find_first_of("/?", authority + 3), text.size());
  std::string encoded = text.substr(0, begin);
  for (const char c : text.substr(begin)) encoded += c == ' ' ? std::string("%20") : std::string(1, c);
  return encoded;
}

// Error{usage}: the URL is the Dockerfile's.
Url parse_source_url(const std::string& text) {
  try {
    return Url::parse(with_encoded_spaces(without_user(text.substr(0, text.find('#')))));
  } catch (const Error& error) {
    throw Error(Category::usage, error.message());
  }
}

// 1970 where it is missing or none.
UnixSeconds last_modified(const HttpHeaders& headers) {
  return parse_http_date(headers.find("Last-Modified").value_or("")).value_or(0);
}

// BuildKit's, but for 206: nothing asked for a part.
bool is_success(int status) { return status >= 200 && status < 300 && status != 206; }

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// What one request is authorised by: secrets by its own host; the URL's user where the first request goes, and where
// the same place sends us. In the clear nothing goes but to the origin that was written, which is not where a redirect
// leads, whatever host has a secret.
class Authorization {
 public:
  Authorization(const std::string& url, const SourceSecrets& secrets)
      : first_(parse_source_url(url)), user_(user_authorization(url)), secrets_(secrets) {}

  std::optional<std::string> of(const Url& url) const {
    if (!url.is_https() && !same_origin(first_, url)) return std::nullopt;
    if (auto secret = secrets_.http_authorization(url)) return secret;
    return same_origin(first_, url) ? user_ : std::nullopt;
  }

 private:
  Url first_;
  std::optional<std::string> user_;
  const SourceSecrets& secrets_;
};

// What a server says it is about to send.
std::uint64_t stated_bytes(const HttpHeaders& headers) {
  const auto length = headers.find("Content-Length");
  return length ? parse_unsigned(trim(*length)).value_or(0) : 0;
}

HttpResponse get(HttpClient& http, const std::string& text, const SourceSecrets& secrets,
                 const std::function<void(std::string_view)>& take, std::uint64_t most_bytes,
                 const CancelToken& cancel) {
  const Authorization authorization(text, secrets);
  AddressClass most_private = AddressClass::loopback;
  Url url = parse_source_url(text);
  for (int hop = 0; hop <= kMostRedirects; ++hop) {
    HttpRequest request;
    request.url = url;
    request.headers.add("Accept", "*/*");
    if (auto value = authorization.of(url)) request.headers.add("Authorization", std::move(*value));
    request.most_private = most_private;
    request.max_streamed_bytes = most_bytes;
    std::uint64_t stated = 0;
    request.wants_body = [&stated](int status, const HttpHeaders& headers) {
      stated = stated_bytes(headers);
      return is_success(status);
    };
    request.on_body = [&take, &stated, most_bytes](std::string_view bytes) {
      if (stated > most_bytes) return AfterPiece::stop;
      take(bytes);
      return AfterPiece::go_on;
    };
    HttpResponse response = http.send(request, cancel);
    if (is_redirect(response.status)) {
      const auto location = response.headers.find("Location");
      if (!location)
        throw Error(Category::network, fmt::format("GET '{}': a redirect without a Location", url.redacted()));
      url = url.resolve(with_encoded_spaces(std::string(trim(*location))));
      // A host of the open internet leads into the machine's own network for no request.
      if (!response.through_proxy) most_private = classify_address(response.remote_address);
      continue;
    }
    if (response.status == 401 || response.status == 403) {
      throw Error(Category::network, fmt::format("GET '{}': expected status 200, got {}; pass a token with --secret "
                                                 "id=HTTP_AUTH_TOKEN_{},src=FILE",
                                                 url.redacted(), response.status, url.host));
    }
    if (!is_success(response.status)) {
      throw Error(Category::network,
                  fmt::format("GET '{}': expected status 200, got {}", url.redacted(), response.status));
    }
    if (stated > most_bytes) {
      throw Error(Category::network, fmt::format("GET '{}': expected at most {} bytes, the server is to send {}",
                                                 url.redacted(), most_bytes, stated));
    }
    return response;
  }
  throw Error(Category::network, fmt::format("GET '{}': more than {} redirects", url.redacted(), kMostRedirects));
}

// Hands on what a server sent in gzip, decoded, as BuildKit's client has it whether it asked for gzip or not.
void decode_gzip(const Fd& encoded, const std::string& name, const std::function<void(std::string_view)>& take,
                 std::uint64_t most_bytes, const CancelToken& cancel) {
  char head[2] = {};
  if (::pread(encoded.get(), head, sizeof head, 0) != 2 || std::string_view(head, 2) != "\x1f\x8b") {
    throw Error(Category::network, fmt::format("'{}': its Content-Encoding is gzip and its bytes are not", name));
  }
  try {
    const auto plain = decompress_stream(std::make_unique<FdSource>(encoded, name), name, {most_bytes});
    std::string buffer(std::size_t{256} << 10, '\0');
    while (const std::size_t got = plain->read(buffer.data(), buffer.size())) {
      cancel.check();
      take({buffer.data(), got});
    }
  } catch (const Error& error) {
    if (error.category() != Category::build) throw;
    throw Error(Category::network, error.message() + ", in its Content-Encoding");
  }
}

bool is_gzip(const HttpHeaders& headers) {
  const std::string encoding = headers.find("Content-Encoding").value_or("");
  return equals_ignoring_case(trim(encoding), "gzip");
}

}  // namespace

FetchedSource::FetchedSource(TempDir folder, const fs::path& shown, ThreadPool& pool, CancelToken cancel,
                             std::string description)
    : ContextSource({shown, {}, ContextModes::as_on_disk, std::move(description), LivingFiles::Writers::none},
                    {pool, std::move(cancel)}),
      folder_(std::move(folder)) {}

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

std::string shown_url(std::string_view url) { return parse_source_url(std::string(url)).redacted(); }

oci::Digest download_url(HttpClient& http, const std::string& url, const std::string& checksum,
                         const SourceSecrets& secrets, const fs::path& place, const CancelToken& cancel,
                         std::uint64_t most_bytes) {
  const std::string shown = shown_url(url);
  const TempDir work(place.parent_path(), "download-");
  const fs::path received = work.path() / "body";
  const auto write_to = [&shown](Fd file, oci::Sha256& hash) {
    return [&shown, &hash, file = std::make_shared<Fd>(std::move(file))](std::string_view bytes) {
      hash.update(bytes);
      write_all(*file, bytes, shown);
    };
  };
  oci::Sha256 hash;
  const HttpResponse response =
      get(http, url, secrets, write_to(create_file(received, 0600), hash), most_bytes, cancel);
  oci::Digest content = hash.finish();
  if (is_gzip(response.headers)) {
    oci::Sha256 decoded;
    decode_gzip(open_read(received), shown, write_to(create_file(place, 0600), decoded), most_bytes, cancel);
    content = decoded.finish();
  } else {
    fs::rename(received, place);
  }
  if (!checksum.empty() && content != oci::Digest::parse(checksum)) {
    throw Error(Category::network, fmt::format("'{}': expected checksum {}, got {}", shown, checksum, content.str()));
  }
  const UnixSeconds time = last_modified(response.headers);
  const timespec times[2] = {{time, 0}, {time, 0}};
  if (::utimensat(AT_FDCWD, place.c_str(), times, 0) != 0) throw_errno("set the time of", shown);
  return content;
}

std::shared_ptr<FetchedSource> fetch_url(HttpClient& http, const std::string& url, const std::string& checksum,
                                         const SourceSecrets& secrets, const fs::path& work, ThreadPool& pool,
                                         const CancelToken& cancel) {
  TempDir folder(work, "url-");
  const oci::Digest content = download_url(http, url, checksum, secrets, folder.path() / file_name_of_url(url), cancel);
  const fs::path shown = folder.path();
  auto source =
      std::make_shared<FetchedSource>(std::move(folder), shown, pool, cancel, fmt::format("'{}'", shown_url(url)));
  source->add_materials({url_material(url, content)});
  return source;
}

}  // namespace kiln
