#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace kiln {

// The value of a variable; nullptr for an unknown name (the caller of the lookup reports it).
using VariableLookup = std::function<const nlohmann::json*(const std::string& name)>;

// Evaluates a string of a bake file as HCL's JSON syntax says: a template with ${NAME} and ${NAME.key}, ${NAME["key"]},
// ${NAME[0]}; `$${` means `${`, `%%{` means `%{`. A string that is one ${...} and nothing else has the value's own
// type; else values become text.
//
// Error{usage} (without a place: the caller knows it) for an unknown variable or key, a list or object inside a text,
// and for everything of HCL beyond that, by name: functions, operators, literals, %{ directives.
nlohmann::json evaluate_template(std::string_view text, const VariableLookup& lookup);

// A string, number, true or false as text, as HCL converts it; Error{usage} for anything else.
std::string template_text(const nlohmann::json& value);

}  // namespace kiln
