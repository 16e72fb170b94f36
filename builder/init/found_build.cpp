#include "builder/init/found_build.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/secret_values.hpp"
#include "base/text.hpp"

namespace kiln::init {

void take_argument(const std::string& name, const std::string& value, FoundBuild& build,
                   std::vector<std::string>& left_out) {
  const bool is_known = !value.empty() && (name + value).find(kUnknown) == std::string::npos;
  if (is_known && !looks_like_secret(name)) {
    build.target.args[name] = value;
  } else {
    left_out.push_back(printable(name));
  }
}

void note_arguments_left_out(const std::string& origin, const std::vector<std::string>& left_out,
                             std::vector<std::string>& notes) {
  if (left_out.empty()) return;
  add_note(
      fmt::format(
          "{}: arguments whose value only a run knows, that are empty or look like secrets are not written down: {}",
          printable(origin), join(left_out, ", ")),
      notes);
}

void add_note(std::string note, std::vector<std::string>& notes) {
  if (std::find(notes.begin(), notes.end(), note) == notes.end()) notes.push_back(std::move(note));
}

}  // namespace kiln::init
