#include "builder/definitions/bake/context_paths.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "builder/definitions/target_words.hpp"

namespace kiln::bake {

bool is_remote_context(std::string_view context) {
  for (const std::string_view scheme : {"http://", "https://", "git://", "ssh://", "git@", "github.com/"}) {
    if (context.starts_with(scheme)) return true;
  }
  return false;
}

std::string context_below(const std::string& folder, const std::string& context) {
  const bool stays = context.empty() || context.starts_with('/') || context.starts_with(kCallerScheme) ||
                     context.starts_with("target:") || context.starts_with("docker-image:") ||
                     context.starts_with("oci-layout://") || is_remote_context(context);
  return stays ? context : clean_path(folder + "/" + context);
}

std::string context_in(const std::string& url, const std::string& folder) {
  std::string inner = clean_path(folder);
  if (inner == ".") return url;
  const std::size_t hash = url.find('#');
  const std::size_t question = url.find('?');
  if (hash == std::string::npos && question != std::string::npos) {
    std::map<std::string, std::string> query;
    for (const std::string_view field : split(std::string_view(url).substr(question + 1), '&')) {
      const std::size_t equals = std::min(field.find('='), field.size());
      query[percent_decoded(field.substr(0, equals))] =
          percent_decoded(field.substr(std::min(equals + 1, field.size())));
    }
    if (const auto outer = query.find("subdir"); outer != query.end()) {
      outer->second = clean_path(outer->second + "/" + inner);
      std::vector<std::string> fields;
      for (const auto& [key, value] : query) fields.push_back(percent_encoded(key) + "=" + percent_encoded(value));
      return url.substr(0, question + 1) + join(fields, "&");
    }
  }
  const std::string fragment = hash == std::string::npos ? "" : url.substr(hash + 1);
  const std::size_t colon = fragment.find(':');
  if (colon != std::string::npos && colon + 1 < fragment.size())
    inner = clean_path(fragment.substr(colon + 1) + "/" + inner);
  return fmt::format("{}#{}:{}", url.substr(0, hash), fragment.substr(0, colon), inner);
}

fs::path path_of(std::string_view text, const AttributeFolders& folders) {
  if (text.starts_with(kCallerScheme)) return path_of_caller(text, folders);
  if (!folders.are_fetched) return path_from(text, folders.base);
  return path_from(fs::path("/" + std::string(text)).lexically_normal().relative_path().native(), folders.base);
}

fs::path path_of_caller(std::string_view text, const AttributeFolders& folders) {
  fs::path path = path_from(text, folders.caller);
  if (folders.are_fetched && !is_inside(path, folders.caller)) {
    throw Error(Category::usage,
                fmt::format("'{}' is outside of the folder in which the command was started; a definition from a "
                            "repository names nothing there",
                            printable(text)));
  }
  return path;
}

}  // namespace kiln::bake
