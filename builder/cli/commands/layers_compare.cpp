#include "builder/cli/commands/layers_compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/join_first.hpp"
#include "base/text.hpp"
#include "builder/cli/output/print_text.hpp"

namespace kiln::cli {

namespace {

using nlohmann::json;

constexpr std::size_t kShownPackages = 5;
constexpr std::size_t kShownEntries = 10;
constexpr std::size_t kShownLineBytes = 60;

std::string layer_of(const ComparedImage& image, std::size_t number) {
  const PackageLayer& layer = image.packages.layers[number];
  return fmt::format("{} ({})", number, human_bytes(layer.blob.size));
}

// What made a layer, on one line: its beginning, and what of a step it holds, which stands at its end.
std::string shown_line(const PackageLayer& layer) {
  if (layer.created_by.empty()) return layer.diff_id.short_hex();
  const std::string& line = layer.created_by;
  const std::size_t mark = line.rfind(" # ");
  const std::string head = line.substr(0, std::min(mark, kShownLineBytes));
  const std::string_view cut = head.size() < std::min(mark, line.size()) ? "..." : "";
  return printable(head + std::string(cut) + (mark == std::string::npos ? "" : line.substr(mark)));
}

void print_alone(const std::vector<std::size_t>& layers, const ComparedImage& image, std::string_view which) {
  for (const std::size_t number : layers) {
    print_text(fmt::format("only in the {}: layer {} {}\n", which, layer_of(image, number),
                           shown_line(image.packages.layers[number])));
  }
}

}  // namespace

void print_comparison(const LayerComparison& comparison, const ComparedImage& before, const ComparedImage& after) {
  print_text(fmt::format("{} layers are the same, {}\n", comparison.same_layers, human_bytes(comparison.same_bytes)));
  for (const LayerDifference& difference : comparison.differences) {
    print_text(fmt::format("{}: layer {} of the first, {} of the second\n",
                           difference.packages.empty() ? shown_line(before.packages.layers[difference.before])
                                                       : printable(join_first(difference.packages, kShownPackages)),
                           layer_of(before, difference.before), layer_of(after, difference.after)));
    if (!difference.only_before.empty())
      print_text(fmt::format("  beside them in the first: {}\n",
                             printable(join_first(difference.only_before, kShownPackages))));
    if (!difference.only_after.empty())
      print_text(fmt::format("  beside them in the second: {}\n",
                             printable(join_first(difference.only_after, kShownPackages))));
    for (std::size_t i = 0; i < std::min(difference.entries.size(), kShownEntries); ++i) {
      const EntryDifference& entry = difference.entries[i];
      print_text(fmt::format("  /{}: {}\n", printable(entry.path), to_string(entry)));
    }
    if (difference.entries.size() > kShownEntries)
      print_text(fmt::format("  and {} more\n", difference.entries.size() - kShownEntries));
  }
  print_alone(comparison.only_before, before, "first");
  print_alone(comparison.only_after, after, "second");
}

json comparison_json(const LayerComparison& comparison, const ComparedImage& before, const ComparedImage& after) {
  const auto digest_of = [](const ComparedImage& image, std::size_t number) {
    return image.packages.layers[number].blob.digest.str();
  };
  const auto digests_of = [&](const ComparedImage& image, const std::vector<std::size_t>& numbers) {
    json list = json::array();
    for (const std::size_t number : numbers) list.push_back(digest_of(image, number));
    return list;
  };
  json differences = json::array();
  for (const LayerDifference& difference : comparison.differences) {
    json entries = json::array();
    for (const EntryDifference& entry : difference.entries)
      entries.push_back({{"path", entry.path}, {"difference", to_string(entry)}});
    differences.push_back({{"first", digest_of(before, difference.before)},
                           {"second", digest_of(after, difference.after)},
                           {"packages", difference.packages},
                           {"only_in_first", difference.only_before},
                           {"only_in_second", difference.only_after},
                           {"entries", std::move(entries)}});
  }
  return {{"same_layers", comparison.same_layers},
          {"same_compressed_bytes", comparison.same_bytes},
          {"differences", std::move(differences)},
          {"only_in_first", digests_of(before, comparison.only_before)},
          {"only_in_second", digests_of(after, comparison.only_after)}};
}

}  // namespace kiln::cli
