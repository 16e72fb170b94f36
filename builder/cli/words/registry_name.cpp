#include "builder/cli/words/registry_name.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln::cli {

namespace {
// Some name that every registry's grammar allows, to ask for the registry's own settings.
constexpr char kAnyRepository[] = "library/any";
}  // namespace

std::string parse_registry_name(std::string_view text) {
  const auto refuse = [&](std::string_view hint) {
    return Error(Category::usage, fmt::format("'{}' is no registry; expected HOST[:PORT]{}", printable(text), hint));
  };
  if (text.find("://") != std::string_view::npos) throw refuse(", without http:// or https://");
  if (text.find('/') != std::string_view::npos)
    throw refuse(fmt::format(", such as '{}'", printable(text.substr(0, text.find('/')))));
  if (text == "localhost" || text.find_first_of(".:") != std::string_view::npos) {
    try {
      return oci::Reference::parse(fmt::format("{}/{}", text, kAnyRepository)).registry;
    } catch (const Error&) {
      throw refuse("");
    }
  }
  throw refuse(", such as 'ghcr.io'");
}

RegistryClient client_of(RemoteSession& session, const std::string& registry) {
  return session.client_for(oci::Reference::parse(fmt::format("{}/{}", registry, kAnyRepository)));
}

}  // namespace kiln::cli
