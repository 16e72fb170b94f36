#include "builder/cache/entry_bundle.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "builder/cache/step_key.hpp"

namespace kiln {

std::string bundle_key(const std::vector<std::string>& parts) {
  return StepKeyBuilder("bundle").list("target", parts).finish();
}

std::string serialise_bundle(const std::vector<CacheEntry>& entries) {
  nlohmann::json texts = nlohmann::json::array();
  std::size_t bytes = 0;
  for (const CacheEntry& entry : entries) {
    std::string text = serialise(entry);
    if (texts.size() == kMaxBundleEntries) break;
    if (bytes + text.size() > kMaxBundleBytes) continue;
    bytes += text.size();
    texts.push_back(std::move(text));
  }
  const nlohmann::json bundle = {{"version", 1}, {"entries", std::move(texts)}};
  return json_text(bundle);
}

std::vector<CacheEntry> parse_bundle(std::string_view content, std::string_view where) {
  const nlohmann::json bundle = parse_json(content, where, Category::network);
  if (!bundle.is_object() || bundle.value("version", nlohmann::json()) != 1 || !bundle.contains("entries") ||
      !bundle["entries"].is_array()) {
    throw Error(Category::network, fmt::format("{}: it is no bundle of version 1", where));
  }
  std::vector<CacheEntry> entries;
  for (const nlohmann::json& text : bundle["entries"]) {
    if (!text.is_string()) continue;
    const auto& entry = text.get_ref<const std::string&>();
    const std::size_t begin = entry.find('\n') + 1;
    const std::string key = entry.substr(begin, entry.find('\n', begin) - begin);
    if (begin == 0 || !is_step_key(key)) continue;
    try {
      entries.push_back(parse_entry(entry, key, where));
    } catch (const Error&) {
      continue;  // it is looked up by itself, which says what is wrong with it
    }
  }
  return entries;
}

}  // namespace kiln
