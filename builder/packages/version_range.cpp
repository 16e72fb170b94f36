#include "builder/packages/version_range.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/packages/version_order.hpp"

namespace kiln {

VersionRange VersionRange::parse(std::string_view text) {
  VersionRange range;
  range.text_ = trim(text);
  for (const std::string_view alternative : split(range.text_, '|')) {
    std::vector<Comparison>& comparisons = range.alternatives_.emplace_back();
    if (trim(alternative) == "*") continue;
    for (const std::string_view part : split(alternative, ','))
      comparisons.push_back(parse_comparison(trim(part), range.text_));
  }
  return range;
}

VersionRange::Comparison VersionRange::parse_comparison(std::string_view text, std::string_view range) {
  constexpr std::array<std::pair<std::string_view, Operator>, 7> kOperators = {{{"==", Operator::equal},
                                                                                {"!=", Operator::not_equal},
                                                                                {"<=", Operator::less_or_equal},
                                                                                {">=", Operator::more_or_equal},
                                                                                {"=", Operator::equal},
                                                                                {"<", Operator::less},
                                                                                {">", Operator::more}}};
  Comparison comparison;
  const auto found = std::find_if(kOperators.begin(), kOperators.end(),
                                  [&](const auto& known) { return text.starts_with(known.first); });
  if (found != kOperators.end()) {
    comparison.op = found->second;
    text = trim(text.substr(found->first.size()));
  }
  if (!is_plain_word(text) || text.starts_with('~') || text.find_first_of("<>=*^") != std::string_view::npos) {
    throw Error(Category::usage,
                fmt::format("version range '{}': expected comparisons such as '<2.0.7' or '>=1.0,<1.4.2', or '*', got "
                            "'{}'",
                            printable(range), printable(text)));
  }
  comparison.version = text;
  return comparison;
}

bool VersionRange::holds(const Comparison& comparison, Ecosystem ecosystem, std::string_view version) {
  const int order = compare_versions(ecosystem, version, comparison.version);
  switch (comparison.op) {
    case Operator::equal:
      return order == 0;
    case Operator::not_equal:
      return order != 0;
    case Operator::less:
      return order < 0;
    case Operator::less_or_equal:
      return order <= 0;
    case Operator::more:
      return order > 0;
    case Operator::more_or_equal:
      return order >= 0;
  }
  return false;
}

bool VersionRange::contains(Ecosystem ecosystem, std::string_view version) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(), [&](const std::vector<Comparison>& comparisons) {
    return std::all_of(comparisons.begin(), comparisons.end(),
                       [&](const Comparison& comparison) { return holds(comparison, ecosystem, version); });
  });
}

std::string VersionRange::way_out() const {
  const auto is_all = [](const std::vector<Comparison>& comparisons) { return comparisons.empty(); };
  if (std::any_of(alternatives_.begin(), alternatives_.end(), is_all)) return "";
  const std::vector<Comparison>& last = alternatives_.back();
  if (last.back().op == Operator::less) return last.back().version + " or newer";
  if (last.back().op == Operator::less_or_equal) return "a version newer than " + last.back().version;
  return fmt::format("a version outside of '{}'", text_);
}

}  // namespace kiln
