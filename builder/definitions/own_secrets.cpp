#include "builder/definitions/own_secrets.hpp"

#include <algorithm>
#include <array>

namespace kiln {

bool is_own_secret(std::string_view variable) {
  constexpr std::array<std::string_view, 3> kOwn = {"KILN_LOG_TOKEN", "KILN_SIGN_KEY", "COSIGN_PASSWORD"};
  return std::find(kOwn.begin(), kOwn.end(), variable) != kOwn.end();
}

}  // namespace kiln
