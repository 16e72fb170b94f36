#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kiln {

// An absolute http or https URL (RFC 3986) without userinfo and fragment.
//
// Invariants: scheme is "http" or "https"; host is lower case, not empty, an IPv6 address in brackets; path begins with
// '/'; nothing in it is a control character, a space or beyond ASCII: parse() writes the latter two as %20 and the
// like.
struct Url {
  std::string scheme;
  std::string host;
  std::uint16_t port = 0;  // never 0 after parse(): the scheme's own where none was written
  std::string path;
  std::string query;  // without '?'

  // Error{network} for anything else; userinfo is refused too (credentials have their own place).
  static Url parse(std::string_view text);
  // What a Location says, relative to this URL: absolute, "//host/path", "/path", "path" or "?query".
  Url resolve(std::string_view location) const;

  bool is_https() const { return scheme == "https"; }
  bool has_default_port() const { return port == (is_https() ? 443 : 80); }
  // host[:port], the port only where it is not the scheme's own.
  std::string authority() const;
  // scheme://authority.
  std::string origin() const { return scheme + "://" + authority(); }
  std::string str() const;
  // For messages: without the query, which may hold signatures and tokens.
  std::string redacted() const { return origin() + path; }

  // Adds "name=value", percent-encoded, after what the query already holds.
  void add_query(std::string_view name, std::string_view value);

  bool operator==(const Url&) const = default;
};

// Whether a text begins as an absolute URL does.
bool is_http_url(std::string_view text);

// Same scheme, host and port: the only case in which a credential may travel along.
bool same_origin(const Url& a, const Url& b);

}  // namespace kiln
