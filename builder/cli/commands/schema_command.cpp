#include <fmt/format.h>

#include <map>
#include <memory>
#include <string_view>

#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/definitions/embedded_schemas.hpp"

namespace kiln::cli {

namespace {

int print_schema(const std::string& which) {
  const std::map<std::string, std::string_view (*)()> schemas = {{"fleet", embedded::fleet_schema_text},
                                                                 {"image", embedded::image_schema_text},
                                                                 {"profile", embedded::profile_schema_text}};
  const auto found = schemas.find(which);
  if (found == schemas.end()) {
    throw Error(Category::usage, fmt::format("there is no schema '{}'{}", printable(which),
                                             suggestion(which, {"fleet", "image", "profile"})));
  }
  fmt::print("{}", found->second());
  return 0;
}

}  // namespace

void add_schema_command(Arguments& root) {
  const auto which = std::make_shared<std::string>();
  root.command("schema", "Print the JSON Schema of fleet.json, image.json or a profile.")
      .required_positional("SCHEMA", *which, "fleet, image or profile")
      .handler([which](const CancelToken&) { return print_schema(*which); });
}

}  // namespace kiln::cli
