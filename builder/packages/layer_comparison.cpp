#include "builder/packages/layer_comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "builder/layer/image_diff.hpp"
#include "builder/packages/bytecode.hpp"

namespace kiln {

namespace {

using Names = std::set<std::string>;

// What each layer brought, "NAME VERSION" by ecosystem.
std::vector<Names> packages_by_layer(const ImagePackages& packages) {
  std::vector<Names> names(packages.layers.size());
  for (const Package& package : packages.packages)
    names.at(package.layer).insert(fmt::format("{} {}", package.stated.name, package.stated.version));
  return names;
}

std::vector<std::string> common(const Names& a, const Names& b) {
  std::vector<std::string> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

std::vector<std::string> without(const Names& a, const Names& b) {
  std::vector<std::string> rest;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(rest));
  return rest;
}

std::vector<EntryDifference> differing_entries(const FileIndex& before, const FileIndex& after) {
  using Kind = EntryDifference::Kind;
  std::vector<EntryDifference> differences;
  auto a = before.entries().begin();
  auto b = after.entries().begin();
  while (a != before.entries().end() || b != after.entries().end()) {
    const bool is_only_before = b == after.entries().end() || (a != before.entries().end() && entry_before(*a, *b));
    const bool is_only_after = a == before.entries().end() || (b != after.entries().end() && entry_before(*b, *a));
    if (is_only_before) {
      differences.push_back({(a++)->path, Kind::only_before, {}});
    } else if (is_only_after) {
      differences.push_back({(b++)->path, Kind::only_after, {}});
    } else {
      std::vector<std::string> what = what_differs(*a, *b);
      if (what.empty() && a->mtime != b->mtime) what.emplace_back("time");
      if (!what.empty()) differences.push_back({a->path, Kind::changed, std::move(what)});
      ++a;
      ++b;
    }
  }
  return differences;
}

}  // namespace

std::string to_string(const EntryDifference& difference) {
  switch (difference.kind) {
    case EntryDifference::Kind::only_before:
      return "only in the first";
    case EntryDifference::Kind::only_after:
      return "only in the second";
    case EntryDifference::Kind::changed:
      return join(difference.what, ", ");
  }
  return "";
}

bool is_same_but_for_times(const FileIndex& before, const FileIndex& after) {
  const std::vector<EntryDifference> all = differing_entries(before, after);
  return std::all_of(all.begin(), all.end(), [](const EntryDifference& difference) {
    const bool is_bytecode =
        difference.what == std::vector<std::string>{"content"} && !source_of_bytecode(difference.path).empty();
    return difference.what == std::vector<std::string>{"time"} || is_bytecode;
  });
}

LayerComparison compare_layers(const ComparedImage& before, const ComparedImage& after) {
  LayerComparison comparison;
  const std::vector<PackageLayer>& layers_before = before.packages.layers;
  const std::vector<PackageLayer>& layers_after = after.packages.layers;
  const std::vector<Names> names_before = packages_by_layer(before.packages);
  const std::vector<Names> names_after = packages_by_layer(after.packages);
  std::vector<bool> is_matched(layers_after.size(), false);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < layers_before.size(); ++i) {
    const auto same = std::find_if(layers_after.begin(), layers_after.end(), [&](const PackageLayer& layer) {
      return layer.diff_id == layers_before[i].diff_id;
    });
    if (same == layers_after.end()) {
      open.push_back(i);
      continue;
    }
    is_matched[static_cast<std::size_t>(same - layers_after.begin())] = true;
    ++comparison.same_layers;
    comparison.same_bytes += layers_before[i].blob.size;
  }
  // What is in no package, as the rest of a step is: by the line that made it.
  const auto of_the_same_line = [&](std::size_t i) -> std::optional<std::size_t> {
    if (!names_before[i].empty() || layers_before[i].created_by.empty()) return std::nullopt;
    for (std::size_t j = 0; j < layers_after.size(); ++j) {
      if (!is_matched[j] && names_after[j].empty() && layers_after[j].created_by == layers_before[i].created_by)
        return j;
    }
    return std::nullopt;
  };
  for (const std::size_t i : open) {
    std::size_t most = 0, partner = 0;
    for (std::size_t j = 0; j < layers_after.size(); ++j) {
      const std::size_t shared = is_matched[j] ? 0 : common(names_before[i], names_after[j]).size();
      if (shared > most) std::tie(most, partner) = std::pair(shared, j);
    }
    if (most == 0) {
      const auto same_line = of_the_same_line(i);
      if (!same_line) {
        comparison.only_before.push_back(i);
        continue;
      }
      partner = *same_line;
    }
    is_matched[partner] = true;
    comparison.differences.push_back({i, partner, common(names_before[i], names_after[partner]),
                                      without(names_before[i], names_after[partner]),
                                      without(names_after[partner], names_before[i]),
                                      differing_entries(*before.view.layers()[i], *after.view.layers()[partner])});
  }
  for (std::size_t j = 0; j < layers_after.size(); ++j) {
    if (!is_matched[j]) comparison.only_after.push_back(j);
  }
  return comparison;
}

}  // namespace kiln
