#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/file.hpp"

namespace kiln {

inline constexpr char kRefNameAnnotation[] = "org.opencontainers.image.ref.name";

// The index.json of an OCI layout as JSON, checked to be an object with a list of manifests. Members and entries that kiln
// does not know are kept. Error{machine} naming the file.
nlohmann::json read_index_file(const fs::path& path);
void write_index_file(const fs::path& path, const nlohmann::json& index);

// The ref.name of an entry; "" where it has none.
std::string ref_name_of(const nlohmann::json& entry);

}  // namespace kiln
