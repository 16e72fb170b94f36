#pragma once

#include <map>
#include <string>
#include <vector>

#include "builder/definitions/fleet.hpp"

namespace kiln {

class JsonSchema;

// Reads FOLDER/*.json (schema.json excepted), checks each against `schema` and merges what it extends: a profile's own
// values win, `machine` is merged member by member. Error{usage} "FILE:LINE: ..." for an unknown key, a value that the
// schema refuses, an `extends` that names no profile or leads back. A folder that is not there holds no profiles.
// Where `broken` is given, a profile with such a problem is put there, with its problems, and is no profile.
using BrokenProfiles = std::map<std::string, std::vector<std::string>>;
std::map<std::string, Profile> load_profiles(const fs::path& folder, const JsonSchema& schema,
                                             BrokenProfiles* broken = nullptr);

// MACHINE (the profile's name), MACHINE_PROFILE (its values as one line of JSON, keys sorted) and each value.
std::map<std::string, std::string> profile_build_args(const Profile& profile);

// All build arguments of a target: its profile's, and over them its own.
std::map<std::string, std::string> baked_args(const TargetSpec& target);

// The values as one line of JSON, keys sorted: what MACHINE_PROFILE holds.
std::string profile_json(const Profile& profile);

// dev.kiln.profile (the name) and dev.kiln.profile.KEY for each value.
std::map<std::string, std::string> profile_labels(const Profile& profile);

inline constexpr const char* kProfileLabel = "dev.kiln.profile";

}  // namespace kiln
