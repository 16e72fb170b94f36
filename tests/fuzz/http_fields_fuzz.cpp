#include <fmt/format.h>

#include "base/http_date.hpp"
#include "registry/remote/address.hpp"
#include "registry/remote/challenge.hpp"
#include "registry/remote/link_header.hpp"
#include "registry/remote/proxy.hpp"
#include "registry/remote/registry_error.hpp"
#include "registry/remote/retry.hpp"
#include "registry/remote/url.hpp"
#include "tests/fuzz/attempt.hpp"

// Fields and addresses that a registry sends. The first byte says what the rest is.
namespace kiln::fuzz {

namespace {

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

void take_challenges(std::string_view text) {
  const std::size_t half = std::min(text.find('\n'), text.size());
  const std::vector<std::string> fields = {std::string(text.substr(0, half)), std::string(text.substr(half))};
  const std::vector<Challenge> challenges = parse_challenges(fields);
  std::vector<std::string> written;
  for (const Challenge& challenge : challenges) {
    std::string field = challenge.scheme;
    const char* separator = " ";
    for (const auto& [name, value] : challenge.parameters) {
      field += fmt::format("{}{}={}", separator, name, quoted(value));
      separator = ", ";
    }
    written.push_back(std::move(field));
  }
  const std::vector<Challenge> again = parse_challenges(written);
  require(again.size() == challenges.size(), "a challenge written out is none, or several");
  for (std::size_t i = 0; i < again.size(); ++i) {
    require(again[i].scheme == challenges[i].scheme && again[i].parameters == challenges[i].parameters,
            "a challenge written out is another one");
  }
}

void take_links(std::string_view text) {
  may_refuse(Category::network, [&] {
    const std::vector<WebLink> links = parse_links(text, "input");
    std::string field;
    for (const WebLink& link : links) {
      const std::string relations = fmt::format("{}", fmt::join(link.relations, " "));
      // What stands without '<' and '>' may hold one, and single quotes around a relation are taken away.
      if (link.target.find('>') != std::string::npos || link.target.empty() || relations.starts_with('\'')) return;
      field += fmt::format("{}<{}>", field.empty() ? "" : ", ", link.target);
      if (!relations.empty()) field += "; rel=" + quoted(relations);
    }
    must_take("links written out are refused",
              [&] { require(parse_links(field, "again") == links, "links written out are others"); });
  });
  may_refuse(Category::network, [&] {
    HttpHeaders headers;
    headers.add("link", std::string(text));
    next_page(headers, "input");
  });
}

void check_url(const Url& url) {
  constexpr std::size_t kMostCharacters = 16384;
  if (url.str().size() > kMostCharacters) return;  // what was left out or percent-encoded makes it longer
  must_take("a URL written out is refused",
            [&] { require(Url::parse(url.str()) == url, "a URL written out is another one"); });
  require(url.port != 0 && !url.host.empty() && url.path.starts_with('/'), "a URL breaks its invariants");
  for (const char c : url.str()) require(c > ' ' && c < 0x7f, "a URL holds what no request line may");
}

void take_url(std::string_view text) {
  const std::size_t at = std::min(text.find('\n'), text.size());
  const std::string_view location = text.substr(std::min(at + 1, text.size()));
  may_refuse(Category::network, [&] {
    Url url = Url::parse(text.substr(0, at));
    check_url(url);
    const Url led_to = url.resolve(location);
    check_url(led_to);
    require(same_origin(led_to, led_to), "a URL is of another origin than itself");
    url.add_query("name", location);
    check_url(url);
    ProxySettings("http://proxy:3128", "proxy2", location).proxy_for(url);
  });
}

void take_answer(std::string_view text) {
  HttpResponse response;
  const std::size_t at = std::min(text.find('\n'), text.size());
  response.status = text.empty() ? 429 : 400 + text[0] % 128;
  response.headers.add("Retry-After", std::string(text.substr(0, at)));
  response.headers.add("Content-Type", std::string(text.substr(0, at)));
  response.body = text.substr(std::min(at + 1, text.size()));
  const auto codes = parse_error_codes(response.body);
  require(codes.size() <= 8, "more codes than are kept");
  classify_response(response);
  const auto wait = requested_wait_seconds(response, 1'700'000'000);
  require(!wait || *wait >= 0, "a wait of less than nothing");
  why_no_json(response);
  HttpRequest request;
  // No escape ends in a 'q': what a message makes of other bytes cannot be this word.
  request.url = Url::parse("https://registry.example/v2/?token=quiet");
  const RegistryError error = make_registry_error(request, response);
  for (const char c : error.message())
    require(static_cast<unsigned char>(c) >= ' ' && c != 0x7f, "a message holds what a terminal would obey");
  require(text.find("quiet") != std::string_view::npos || error.message().find("quiet") == std::string::npos,
          "a message holds a query");
}

}  // namespace

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const std::string_view text = input.substr(1);
  switch (input[0]) {
    case 'c':
      return take_challenges(text);
    case 'l':
      return take_links(text);
    case 'u':
      return take_url(text);
    case 'a':
      require(is_numeric_address(text) || classify_address(text) == AddressClass::link_local,
              "what is no address is led to");
      return;
    case 'd':
      parse_http_date(std::string(text));
      return;
    default:
      return take_answer(text);
  }
}

std::vector<std::string> seeds() {
  return {"cBearer realm=\"https://auth.example/token\",service=\"registry\",scope=\"repository:a/b:pull,push\"",
          "cBasic realm=x, Negotiate\nBearer a=b, Digest c=\"d\\\"e\"",
          "cNegotiate abc==, Basic realm=\"\"",
          "l</v2/_catalog?last=x&n=100>; rel=\"next\"",
          "l<https://a/b>; rel='prev'; x, /v2/c; rel=\"next last\"",
          "uhttps://registry.example:8443/v2/a?b=c\n//other/d",
          "uhttp://[::1]:5000/\n../x y\xc3\xa9?q#f",
          "uhttps://a\n?digest=1",
          "a169.254.169.254",
          "a::ffff:10.0.0.1",
          "a[fe80::1%eth0]",
          "dSun, 06 Nov 1994 08:49:37 GMT",
          "e12\n{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"retry-after: 12.5s\"}]}",
          "eSun, 06 Nov 2094 08:49:37 GMT\n<html>",
          "etext/html; charset=x\n\x1f\x8b"};
}

std::vector<std::string> words() {
  return {"Bearer ",
          "Basic ",
          "realm=",
          "\"",
          "\\\"",
          ", ",
          "rel=",
          "rel=\"next\"",
          "<",
          ">",
          ";",
          "//",
          "../",
          "?",
          "#",
          "%00",
          "%2e",
          "@",
          "[::1]",
          ":80",
          ":65536",
          "\t",
          "\xc3\xa9",
          "{\"errors\":[{\"code\":",
          "\"message\":",
          "retry-after: ",
          "secondary rate limit",
          "1e308",
          "nan",
          "GMT",
          "Feb",
          "::ffff:",
          "0x7f.1",
          "127.0.0.1",
          "%eth0"};
}

}  // namespace kiln::fuzz
