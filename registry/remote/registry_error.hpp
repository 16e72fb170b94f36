#pragma once

#include <string>
#include <vector>

#include "registry/remote/http.hpp"

namespace kiln {

// One entry of a registry's error document (OCI distribution spec, "Error Codes").
struct RegistryErrorCode {
  std::string code;  // "MANIFEST_BLOB_UNKNOWN"
  std::string message;
};

// A registry's refusal, after everything worth trying was tried. The message holds method, redacted URL,
// status and the registry's own codes.
class RegistryError : public Error {
 public:
  RegistryError(std::string message, int status, std::vector<RegistryErrorCode> codes)
      : Error(Category::network, std::move(message)), status_(status), codes_(std::move(codes)) {}
  int status() const noexcept { return status_; }
  const std::vector<RegistryErrorCode>& codes() const noexcept { return codes_; }
  bool has_code(std::string_view code) const;

 private:
  int status_;
  std::vector<RegistryErrorCode> codes_;
};

// What the body of a refusal says; empty where it is no error document. At most eight entries, texts cut
// short and made printable.
std::vector<RegistryErrorCode> parse_error_codes(std::string_view body);

// Why the body of an answer with success cannot be the JSON that was asked for: a proxy compressed it, or what answers
// is a web site. Empty where it may be JSON.
std::string why_no_json(const HttpResponse& response);

// "PUT 'https://ghcr.io/v2/acme/app/manifests/1': 404 NAME_UNKNOWN: repository name not known".
RegistryError make_registry_error(const HttpRequest& request, const HttpResponse& response);

}  // namespace kiln
