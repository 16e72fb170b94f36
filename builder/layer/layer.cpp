#include "builder/layer/layer.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace kiln {

using nlohmann::json;

const LayerBlob* LayerValue::blob_of(const Compression& compression) const {
  for (const LayerBlob& blob : blobs) {
    if (blob.compression.kind != compression.kind) continue;
    if (!compression.level || blob.compression == compression) return &blob;
  }
  return nullptr;
}

json to_json(const LayerValue& layer) {
  json value;
  value["diff_id"] = layer.diff_id.str();
  value["uncompressed_size"] = layer.uncompressed_size;
  value["blobs"] = json::array();
  for (const LayerBlob& blob : layer.blobs) {
    value["blobs"].push_back({{"descriptor", oci::to_json(blob.descriptor)}, {"compression", blob.compression.str()}});
  }
  if (layer.index) value["index"] = oci::to_json(*layer.index);
  return value;
}

LayerValue layer_value_from_json(const json& value, std::string_view where) {
  const auto refuse = [&](std::string_view what) {
    throw Error(Category::network, fmt::format("{}: {}", where, what));
  };
  const auto member = [&](const json& object, const char* key) -> const json& {
    if (!object.is_object()) refuse("expected an object for a layer");
    const auto it = object.find(key);
    if (it == object.end()) refuse(fmt::format("a layer has no '{}'", key));
    return *it;
  };
  const auto text = [&](const json& object, const char* key) {
    const json& found = member(object, key);
    if (!found.is_string()) refuse(fmt::format("'{}' of a layer must be a string", key));
    return found.get<std::string>();
  };

  LayerValue layer;
  layer.diff_id = oci::Digest::parse(text(value, "diff_id"), "diff ID", Category::network);
  const json& size = member(value, "uncompressed_size");
  if (!size.is_number_unsigned()) refuse("'uncompressed_size' of a layer must be a number");
  layer.uncompressed_size = size.get<std::uint64_t>();
  const json& blobs = member(value, "blobs");
  if (!blobs.is_array()) refuse("'blobs' of a layer must be a list");
  for (const json& item : blobs) {
    LayerBlob blob;
    blob.descriptor = oci::descriptor_from_json(member(item, "descriptor"), where);
    const std::string compression = text(item, "compression");
    try {
      blob.compression = Compression::parse_text(compression);
    } catch (const Error& error) {
      refuse(error.message());
    }
    layer.blobs.push_back(std::move(blob));
  }
  if (const auto it = value.find("index"); it != value.end()) layer.index = oci::descriptor_from_json(*it, where);
  return layer;
}

}  // namespace kiln
