#include "registry/oci/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/credentials.hpp"
#include "base/text.hpp"

namespace kiln::oci {

namespace {

// The first part of a name of several: a registry's host, or the first part of a repository of Docker Hub.
bool reads_as_host(std::string_view part) {
  return part.find_first_of(".:[") != std::string_view::npos || part == "localhost" || part != to_lower(part);
}

constexpr std::size_t kMaxNameLength = 255;
constexpr std::size_t kMaxTagLength = 128;

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// alpha-numeric runs joined by '.', '_', '__' or dashes
bool is_valid_component(std::string_view component) {
  if (component.empty() || !is_lower_alnum(component.front()) || !is_lower_alnum(component.back())) return false;
  for (std::size_t i = 0; i < component.size();) {
    if (is_lower_alnum(component[i])) {
      ++i;
      continue;
    }
    const std::size_t end =
        std::find_if(component.begin() + static_cast<long>(i), component.end(), is_lower_alnum) - component.begin();
    const std::string_view separator = component.substr(i, end - i);
    const bool dashes = separator.find_first_not_of('-') == std::string_view::npos;
    if (!dashes && separator != "." && separator != "_" && separator != "__") return false;
    i = end;
  }
  return true;
}

bool is_valid_host_label(std::string_view label) {
  return !label.empty() && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(),
                     [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-'; });
}

bool is_valid_host(std::string_view host) {
  if (host.starts_with('[')) {  // an IPv6 address in brackets
    const std::size_t close = host.find(']');
    if (close == std::string_view::npos || close == 1) return false;
    const std::string_view rest = host.substr(close + 1);
    return host.substr(1, close - 1).find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos &&
           (rest.empty() || (rest[0] == ':' && parse_unsigned(rest.substr(1)).value_or(65536) < 65536));
  }
  const std::size_t colon = host.find(':');
  if (colon != std::string_view::npos && parse_unsigned(host.substr(colon + 1)).value_or(65536) > 65535) return false;
  const std::string_view name = host.substr(0, colon);
  const auto labels = split(name, '.');
  return std::all_of(labels.begin(), labels.end(), is_valid_host_label);
}

// "user:password@host/name", which some write by analogy with URLs, without the two.
std::string shown(std::string_view text) {
  const std::size_t at = text.find('@');
  const bool has_scheme = text.find("://") != std::string_view::npos;
  const std::string_view before = text.substr(0, at);
  const bool has_password = at != std::string_view::npos && before.find('/') == std::string_view::npos &&
                            before.find(':') != std::string_view::npos && !text.substr(at + 1).starts_with("sha");
  if (has_scheme || !has_password) return without_url_credentials(printable(text));
  return printable(masked_user(before).append(text.substr(at)));
}

[[noreturn]] void refuse_reference(std::string_view text, std::string_view why) {
  throw Error(Category::usage, fmt::format("image reference '{}': {}", shown(text), why));
}

// What is wrong with a text, "" where nothing is; `result` is whole only then.
std::string read_reference(std::string_view text, Reference& result) {
  std::string_view rest = text;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    if (!Digest::is_valid(rest.substr(at + 1))) return "what follows '@' is not a digest (sha256:<64 hex digits>)";
    result.digest = Digest::parse(rest.substr(at + 1));
    rest = rest.substr(0, at);
  }
  const std::size_t last_slash = rest.rfind('/');
  const std::size_t colon = rest.find(':', last_slash == std::string_view::npos ? 0 : last_slash);
  if (colon != std::string_view::npos) {
    const std::string_view tag = rest.substr(colon + 1);
    if (!is_valid_tag(tag))
      return fmt::format("'{}' is not a tag (letters, digits, '_', '.', '-'; at most 128)", printable(tag));
    result.tag = std::string(tag);
    rest = rest.substr(0, colon);
  }
  const std::size_t first_slash = rest.find('/');
  const std::string_view head = rest.substr(0, first_slash);
  if (first_slash != std::string_view::npos && reads_as_host(head)) {
    if (head == "http:" || head == "https:")
      return fmt::format("a name begins with the registry's host; write it without '{}//'", head);
    if (!is_valid_host(head)) return fmt::format("'{}' is not a registry host", printable(head));
    result.registry = std::string(head);
    rest = rest.substr(first_slash + 1);
    if (result.registry == "index.docker.io" || result.registry == "registry-1.docker.io")
      result.registry = "docker.io";
  } else {
    result.registry = "docker.io";
  }
  if (rest.empty()) return "no repository is named";
  for (const std::string_view component : split(rest, '/')) {
    if (is_valid_component(component)) continue;
    const bool upper = component != to_lower(component) && is_valid_component(to_lower(component));
    return upper ? "a repository must be lower case"
                 : fmt::format("'{}' is not a valid part of a repository name", printable(component));
  }
  result.repository = std::string(rest);
  if (result.registry == "docker.io" && rest.find('/') == std::string_view::npos) {
    result.repository = "library/" + result.repository;
  }
  if (result.name().size() > kMaxNameLength) return "the name is longer than 255 characters";
  return "";
}

}  // namespace

bool is_valid_tag(std::string_view tag) {
  if (tag.empty() || tag.size() > kMaxTagLength || tag[0] == '.' || tag[0] == '-') return false;
  return std::all_of(tag.begin(), tag.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
  });
}

bool is_valid_repository(std::string_view name) {
  const auto reference = Reference::parse_if_valid(fmt::format("registry.invalid/{}", name));
  return reference && reference->repository == name;
}

Reference Reference::parse(std::string_view text) {
  Reference result;
  if (const std::string problem = read_reference(text, result); !problem.empty()) refuse_reference(text, problem);
  return result;
}

std::optional<Reference> Reference::parse_if_valid(std::string_view text) {
  Reference result;
  return read_reference(text, result).empty() ? std::optional(std::move(result)) : std::nullopt;
}

Reference parse_new_name(std::string_view text) {
  Reference result = Reference::parse(text);
  if (result.digest) {
    refuse_reference(text,
                     fmt::format("a name that an image is to get holds no digest, which the image decides; write '{}'",
                                 result.name() + ":" + result.tag_or_latest()));
  }
  return result;
}

std::string Reference::tag_or_latest() const { return tag.value_or("latest"); }

std::string Reference::str() const {
  std::string result = name();
  if (tag) result += ":" + *tag;
  if (digest) result += "@" + digest->str();
  if (!tag && !digest) result += ":latest";
  return result;
}

std::string Reference::manifest_key() const { return digest ? digest->str() : tag_or_latest(); }

Reference Reference::with_tag(std::string new_tag) const {
  Reference copy = *this;
  copy.tag = std::move(new_tag);
  copy.digest.reset();
  return copy;
}

std::string Reference::familiar_name() const {
  if (registry != "docker.io") return name();
  constexpr std::string_view kOfficial = "library/";
  const std::string_view path = repository;
  const std::size_t slash = path.find('/');
  // An official image has one part behind "library"; without that one, more parts would be somebody's image.
  if (path.starts_with(kOfficial) && path.find('/', kOfficial.size()) == std::string_view::npos)
    return repository.substr(kOfficial.size());
  return slash != std::string_view::npos && reads_as_host(path.substr(0, slash)) ? name() : repository;
}

Reference Reference::with_digest(Digest new_digest) const {
  Reference copy = *this;
  copy.tag.reset();
  copy.digest = std::move(new_digest);
  return copy;
}

bool is_loopback_registry(std::string_view registry) {
  if (registry == "[::1]" || registry.starts_with("[::1]:")) return true;
  const std::string_view host = registry.substr(0, registry.find(':'));
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  const auto parts = split(host, '.');
  return parts.size() == 4 && parts[0] == "127" && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           return parse_unsigned(part).value_or(256) < 256;
         });
}

}  // namespace kiln::oci
