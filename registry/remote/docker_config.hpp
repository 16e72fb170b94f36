#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace kiln {

// docker's config.json, and containers' auth.json, which has its form, as Go's decoder reads them.

// Of equal keys the last counts, and "auths" that stands twice is one list; null is as good as nothing. Error{machine}
// naming `source`, and nothing that the text holds but names of members, for what is no JSON object, and for a member
// of another type than docker's, for which Go refuses the whole file. Members that docker does not know are passed
// over.
nlohmann::json parse_docker_config(const std::string& text, const std::string& source);

// A member by its name in any case; null where it is missing.
const nlohmann::json& docker_member(const nlohmann::json& object, std::string_view name);
// The same of one that is a text; empty for null.
std::string docker_text(const nlohmann::json& object, std::string_view name);

// What a credential helper answers: an object whose members `names` are texts. Errors as above.
nlohmann::json parse_helper_answer(const std::string& text, const std::string& source);

}  // namespace kiln
