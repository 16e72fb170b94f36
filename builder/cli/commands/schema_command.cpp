#include <fmt/format.h>

#include <map>
#include <memory>
#include <string_view>

#include "base/text.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/definitions/embedded_schemas.hpp"
#include "builder/definitions/schema_reference.hpp"

namespace kiln::cli {

namespace {

struct SchemaWords {
  std::string which;
  bool markdown = false;
};

int print_schema(const SchemaWords& words) {
  const std::map<std::string, std::string_view (*)()> schemas = {{"fleet", embedded::fleet_schema_text},
                                                                 {"image", embedded::image_schema_text},
                                                                 {"profile", embedded::profile_schema_text}};
  const auto found = schemas.find(words.which);
  if (found == schemas.end()) {
    throw Error(Category::usage, fmt::format("there is no schema '{}'{}", printable(words.which),
                                             suggestion(words.which, {"fleet", "image", "profile"})));
  }
  const std::string command = fmt::format("kiln schema {} --markdown", words.which);
  fmt::print("{}", words.markdown ? schema_reference(found->second(), command) : std::string(found->second()));
  return 0;
}

}  // namespace

void add_schema_command(Arguments& root) {
  const auto words = std::make_shared<SchemaWords>();
  root.command("schema", "Print the JSON Schema of fleet.json, image.json or a profile.")
      .required_positional("SCHEMA", words->which, "fleet, image or profile")
      .flag("--markdown", words->markdown, "the page about its keys instead, as docs/reference/ has it")
      .handler([words](const CancelToken&) { return print_schema(*words); });
}

}  // namespace kiln::cli
