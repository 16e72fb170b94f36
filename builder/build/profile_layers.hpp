#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/build/build_request.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/plan/plan.hpp"

namespace kiln {

// One step of an image as two profiles bake it.
struct StepComparison {
  enum class Verdict {
    shared,   // the same step, and so the same layer
    differs,  // a step each
  };
  std::string file;
  int line = 0;
  std::string text;
  bool is_layer = false;  // of the image; else of a stage that it copies from or mounts
  Verdict verdict = Verdict::shared;
  std::vector<std::string> causes;           // why it differs
  std::optional<std::uint64_t> bytes;        // compressed, as built here for the first profile; nullopt: not built here
  std::optional<std::uint64_t> other_bytes;  // for the second one
};

std::string_view to_string(StepComparison::Verdict verdict);

struct ImageComparison {
  struct Totals {  // of layers of the image
    std::size_t shared_layers = 0;
    std::size_t own_layers = 0;  // that each of the two has for itself
    std::uint64_t shared_bytes = 0;
    std::uint64_t bytes = 0;
    std::uint64_t other_bytes = 0;
    std::size_t unmeasured = 0;
  };
  std::string image;
  std::vector<StepComparison> steps;  // bases first
  Totals totals() const;
};

// The plan of everything. Error{usage} as for a bake: a GPU service whose family cannot serve its profile, say.
Plan plan_targets(const Fleet& fleet);

// Compares without building: by the keys of steps that were built here, else by what the Dockerfiles say of the values
// that differ. Error{usage} where the image is unknown or not baked for both.
ImageComparison compare_profiles(const Fleet& fleet, const Profile& profile, const Profile& other,
                                 const std::string& image, const BuildSurroundings& surroundings);

}  // namespace kiln
