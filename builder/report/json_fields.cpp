#include "builder/report/json_fields.hpp"

#include <nlohmann/json.hpp>

namespace kiln {

oci::Digest digest_or_empty(const JsonMembers& members, const char* key) {
  const std::string text = members.string(key);
  if (text.empty()) return {};
  if (!oci::Digest::is_valid(text)) members.refuse(key, "expected a digest 'sha256:HEX'");
  return oci::Digest::parse(text);
}

nlohmann::ordered_json contents_to_json(const ContentBytes& contents) {
  nlohmann::ordered_json result = nlohmann::ordered_json::object();
  for (const Content content : kContents) result[std::string(to_string(content))] = contents[content];
  result["repeated"] = contents.repeated;
  return result;
}

ContentBytes read_contents(const JsonMembers& members) {
  ContentBytes contents;
  for (const Content content : kContents)
    contents[content] = members.unsigned_integer(std::string(to_string(content)).c_str());
  contents.repeated = members.unsigned_integer("repeated");
  if (contents.repeated > contents[Content::packages]) members.refuse("repeated", "expected no more than 'packages'");
  return contents;
}

}  // namespace kiln
