#pragma once

#include <string_view>

// The schemas of images/schema/ and profiles/, as they were when kiln was built (cmake/embed_text.cmake).
namespace kiln::embedded {

std::string_view fleet_schema_text();
std::string_view image_schema_text();
std::string_view profile_schema_text();

}  // namespace kiln::embedded
