#include "registry/store/index_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/json.hpp"

namespace kiln {

nlohmann::json read_index_file(const fs::path& path) {
  const std::string name = fmt::format("image layout '{}'", path.native());
  nlohmann::json index = parse_json(read_file(path, std::uint64_t{64} << 20), name, Category::machine,
                                    {.max_bytes = std::size_t{64} << 20});
  const bool has_list = index.is_object() && index.contains("manifests") && index["manifests"].is_array();
  if (!has_list) throw Error(Category::machine, name + ": expected an object with a list 'manifests'");
  for (const auto& entry : index["manifests"]) {
    if (!entry.is_object()) throw Error(Category::machine, name + ": an entry of 'manifests' is not an object");
  }
  return index;
}

void write_index_file(const fs::path& path, const nlohmann::json& index) {
  write_file_atomically(path, json_text(index));
}

oci::Descriptor stored_descriptor(const nlohmann::json& value, const std::string& where) {
  try {
    return oci::descriptor_from_json(value, where);
  } catch (const Error& error) {
    throw Error(Category::machine, error.message());  // it is this machine's file, no matter who wrote it
  }
}

oci::Descriptor descriptor_of_entry(const nlohmann::json& entry, const fs::path& path) {
  return stored_descriptor(entry, fmt::format("image layout '{}'", path.native()));
}

std::string ref_name_of(const nlohmann::json& entry) {
  const auto annotations = entry.find("annotations");
  return annotations == entry.end() ? std::string() : string_member(*annotations, kRefNameAnnotation);
}

}  // namespace kiln
