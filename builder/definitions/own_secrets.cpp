#include "builder/definitions/own_secrets.hpp"

#include <algorithm>
#include <array>

namespace kiln {

bool is_own_secret(std::string_view variable) {
  constexpr std::array<std::string_view, 3> kOwn = {"KILN_LOG_TOKEN", "KILN_SIGN_KEY", "COSIGN_PASSWORD"};
  return std::find(kOwn.begin(), kOwn.end(), variable) != kOwn.end();
}

std::optional<std::string> own_secret_of(const SecretSource& secret) {
  if (secret.file) return std::nullopt;
  // One that is only an id is the variable of that name.
  const std::string& variable = secret.environment ? *secret.environment : secret.id;
  return is_own_secret(variable) ? std::optional(variable) : std::nullopt;
}

}  // namespace kiln
