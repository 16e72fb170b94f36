#include "builder/packages/package_json.hpp"

#include <nlohmann/json.hpp>

namespace kiln {

using nlohmann::json;

json to_json(const Package& package) {
  json object = {{"ecosystem", to_string(package.stated.ecosystem)},
                 {"name", package.stated.name},
                 {"version", package.stated.version},
                 {"purl", package.purl},
                 {"layer", package.layer},
                 {"locations", package.locations},
                 {"files", package.files},
                 {"unpacked_bytes", package.unpacked_bytes},
                 {"compressed_bytes", package.compressed_bytes}};
  if (!package.stated.architecture.empty()) object["architecture"] = package.stated.architecture;
  if (!package.stated.licence.empty()) object["licence"] = package.stated.licence;
  if (package.part_of) object["part_of"] = *package.part_of;
  return object;
}

json to_json(const ImagePackages& packages) {
  json list = json::array();
  for (const Package& package : packages.packages) list.push_back(to_json(package));
  json layers = json::array();
  for (const PackageLayer& layer : packages.layers) {
    layers.push_back({{"digest", layer.blob.digest.str()},
                      {"diff_id", layer.diff_id.str()},
                      {"created_by", layer.created_by},
                      {"compressed_bytes", layer.blob.size},
                      {"unpacked_bytes", layer.unpacked_bytes},
                      {"other_compressed_bytes", layer.other_compressed_bytes()},
                      {"other_unpacked_bytes", layer.other_unpacked_bytes()}});
  }
  json document = {{"packages", list}, {"layers", layers}, {"notes", packages.notes}};
  for (const PackagedFile& file : packages.files) {
    json entry = {{"path", file.path}, {"digest", file.content.str()}, {"layer", file.layer}};
    if (file.package) entry["purl"] = packages.packages[*file.package].purl;
    document["files"].push_back(std::move(entry));
  }
  return document;
}

json to_json(const std::vector<PackageChange>& changes) {
  json list = json::array();
  for (const PackageChange& change : changes) {
    const char* kind = change.kind == PackageChange::Kind::added     ? "added"
                       : change.kind == PackageChange::Kind::removed ? "removed"
                                                                     : "changed";
    list.push_back({{"change", kind},
                    {"ecosystem", to_string(change.ecosystem)},
                    {"name", change.name},
                    {"architecture", change.architecture},
                    {"before", change.before},
                    {"after", change.after}});
  }
  return list;
}

}  // namespace kiln
