#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/file.hpp"
#include "registry/oci/descriptor.hpp"

namespace kiln {

inline constexpr char kRefNameAnnotation[] = "org.opencontainers.image.ref.name";

// The index.json of an OCI layout as JSON, checked to be an object with a list of manifests. Members and entries that
// kiln does not know are kept. Error{machine} naming the file.
nlohmann::json read_index_file(const fs::path& path);
void write_index_file(const fs::path& path, const nlohmann::json& index);

// A descriptor in a file of this machine. Error{machine} that begins with `where`.
oci::Descriptor stored_descriptor(const nlohmann::json& value, const std::string& where);

// The descriptor that an entry is. Error{machine} naming the file.
oci::Descriptor descriptor_of_entry(const nlohmann::json& entry, const fs::path& path);

// The ref.name of an entry; "" where it has none.
std::string ref_name_of(const nlohmann::json& entry);

}  // namespace kiln
