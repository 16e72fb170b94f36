#include "registry/remote/registry_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {
constexpr std::size_t kMostCodes = 8;
constexpr std::size_t kMostText = 400;

std::string short_text(const nlohmann::json& object, const char* key) {
  return printable(string_member(object, key).substr(0, kMostText));
}

// What registries answer in words where they send no error document. The body of another answer is content (a config
// holds variables, a layer anything), which is in no message.
std::string plain_text(const HttpResponse& response) {
  if (response.status < 400) return {};
  const std::string type = response.headers.find("Content-Type").value_or("");
  if (response.body.empty() || type.find("html") != std::string::npos || response.body.starts_with("<")) return {};
  const std::string_view line = trim(std::string_view(response.body).substr(0, response.body.find('\n')));
  return printable(line.substr(0, kMostText / 2));
}
}  // namespace

bool RegistryError::has_code(std::string_view code) const {
  return std::any_of(codes_.begin(), codes_.end(), [&](const RegistryErrorCode& entry) { return entry.code == code; });
}

std::vector<RegistryErrorCode> parse_error_codes(std::string_view body) {
  std::vector<RegistryErrorCode> codes;
  try {
    const nlohmann::json document = parse_json(body, "error document", Category::network);
    if (!document.is_object()) return codes;
    const auto errors = document.find("errors");
    if (errors == document.end() || !errors->is_array()) return codes;
    for (const auto& entry : *errors) {
      if (!entry.is_object() || codes.size() == kMostCodes) continue;
      codes.push_back({short_text(entry, "code"), short_text(entry, "message")});
    }
  } catch (const Error&) {
    codes.clear();  // no error document: the status says what there is to say
  }
  return codes;
}

std::string why_no_json(const HttpResponse& response) {
  const std::string_view body = trim(response.body);
  if (body.starts_with('{') || body.starts_with('[')) return {};
  const std::string encoding = response.headers.find("Content-Encoding").value_or("identity");
  if (!equals_ignoring_case(trim(encoding), "identity")) {
    return fmt::format(
        "it comes with 'Content-Encoding: {}', which was not asked for; let the proxy before the registry leave it as "
        "it is",
        printable(encoding.substr(0, kMostText)));
  }
  if (response.headers.media_type() == "text/html" || body.starts_with('<'))
    return "a web page came in its place; what answers there is no registry";
  return {};
}

RegistryError make_registry_error(const HttpRequest& request, const HttpResponse& response) {
  std::vector<RegistryErrorCode> codes;
  if (response.status >= 400) codes = parse_error_codes(response.body);
  std::string said;
  for (const RegistryErrorCode& entry : codes) {
    if (!said.empty()) said += "; ";
    said += entry.code;
    if (!entry.message.empty()) said += (entry.code.empty() ? "" : ": ") + entry.message;
  }
  if (said.empty()) said = plain_text(response);
  std::string message = fmt::format("{} '{}': the registry answered {}", to_string(request.method),
                                    request.url.redacted(), response.status);
  if (!said.empty()) message += fmt::format(" ({})", said);
  return RegistryError(std::move(message), response.status, std::move(codes));
}

}  // namespace kiln
