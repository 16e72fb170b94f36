#include "builder/layer/layer.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json_members.hpp"
#include "base/text.hpp"

namespace kiln {

using nlohmann::json;

namespace {

// It goes into the history of images, wherever the record came from.
constexpr std::size_t kMaxPartBytes = 2048;

}  // namespace

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
  value["uncompressed_size"] = layer.unpacked_bytes;
  value["blobs"] = json::array();
  for (const LayerBlob& blob : layer.blobs) {
    value["blobs"].push_back({{"descriptor", oci::to_json(blob.descriptor)}, {"compression", blob.compression.str()}});
  }
  if (!layer.part.empty()) value["part"] = layer.part;
  if (layer.index) value["index"] = oci::to_json(*layer.index);
  return value;
}

LayerValue layer_value_from_json(const json& value, std::string_view where) {
  const auto refuse = JsonMembers::refusal(where, Category::network);
  const JsonMembers members(value, refuse);
  LayerValue layer;
  layer.diff_id = oci::Digest::parse(members.string("diff_id"), "diff ID", Category::network);
  layer.unpacked_bytes = members.unsigned_integer("uncompressed_size");
  members.each("blobs", [&](const JsonMembers& item) {
    LayerBlob blob;
    blob.descriptor = oci::descriptor_from_json(item.object("descriptor").value(), where);
    const std::string compression = item.string("compression");
    try {
      blob.compression = Compression::parse_text(compression);
    } catch (const Error& error) {
      item.refuse("compression", error.message());
    }
    layer.blobs.push_back(std::move(blob));
  });
  if (members.has("part")) layer.part = printable(members.string("part").substr(0, kMaxPartBytes));
  if (members.has("index")) layer.index = oci::descriptor_from_json(*members.find("index"), where);
  return layer;
}

}  // namespace kiln
