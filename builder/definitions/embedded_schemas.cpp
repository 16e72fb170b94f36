#include "builder/definitions/embedded_schemas.hpp"

#include "builder/definitions/schema.hpp"

namespace kiln {

const JsonSchema& fleet_schema() {
  static const JsonSchema schema = JsonSchema::parse(embedded::fleet_schema_text(), "images/schema/fleet.schema.json");
  return schema;
}

const JsonSchema& image_schema() {
  static const JsonSchema schema = JsonSchema::parse(embedded::image_schema_text(), "images/schema/image.schema.json");
  return schema;
}

const JsonSchema& profile_schema() {
  static const JsonSchema schema = JsonSchema::parse(embedded::profile_schema_text(), "profiles/schema.json");
  return schema;
}

}  // namespace kiln
