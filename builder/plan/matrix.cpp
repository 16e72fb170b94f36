#include "builder/plan/matrix.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

double mean_of_known(const std::vector<const MatrixTarget*>& targets) {
  double sum = 0;
  std::size_t count = 0;
  for (const MatrixTarget* target : targets) {
    if (target->seconds <= 0) continue;
    sum += target->seconds;
    ++count;
  }
  return count ? sum / static_cast<double>(count) : 1;
}

// Targets that one job has to build.
struct Unit {
  std::vector<const MatrixTarget*> targets;
  double seconds = 0;
};

std::vector<Unit> units_of(const std::vector<const MatrixTarget*>& targets, Profiles profiles, double unknown_seconds) {
  std::map<std::string, Unit> units;
  for (const MatrixTarget* target : targets) {
    Unit& unit = units[profiles == Profiles::together ? target->image : target->name];
    unit.targets.push_back(target);
    unit.seconds = std::max(unit.seconds, target->seconds > 0 ? target->seconds : unknown_seconds);
  }
  std::vector<Unit> result;
  for (auto& [name, unit] : units) result.push_back(std::move(unit));
  return result;
}

// What the targets of one row have in common.
struct RowKind {
  std::string runner;
  MatrixJob job = MatrixJob::bake;
  std::string platform;

  auto operator<=>(const RowKind&) const = default;
};

RowKind kind_of(const MatrixTarget& target) {
  return {target.runner, target.job, target.job == MatrixJob::bake ? target.platform : ""};
}

// Rows for the units of one kind.
std::vector<MatrixRow> deal_out(std::vector<Unit> units, std::size_t rows) {
  std::stable_sort(units.begin(), units.end(), [](const Unit& a, const Unit& b) { return a.seconds > b.seconds; });
  std::vector<MatrixRow> result(std::min(rows, units.size()));
  for (const Unit& unit : units) {
    MatrixRow& least = *std::min_element(result.begin(), result.end(),
                                         [](const MatrixRow& a, const MatrixRow& b) { return a.seconds < b.seconds; });
    least.targets.insert(least.targets.end(), unit.targets.begin(), unit.targets.end());
    least.seconds += unit.seconds;
  }
  for (MatrixRow& row : result) {
    std::sort(row.targets.begin(), row.targets.end(),
              [](const MatrixTarget* a, const MatrixTarget* b) { return a->name < b->name; });
  }
  return result;
}

std::vector<MatrixRow> rows_of_wave(std::size_t wave, const std::vector<const MatrixTarget*>& targets,
                                    Profiles profiles, std::size_t max_rows) {
  std::map<RowKind, std::vector<const MatrixTarget*>> by_kind;
  for (const MatrixTarget* target : targets) by_kind[kind_of(*target)].push_back(target);
  if (by_kind.size() > max_rows) {
    throw Error(Category::usage, fmt::format("wave {} needs {} kinds of jobs, and a matrix has at most {} rows", wave,
                                             by_kind.size(), max_rows));
  }
  const double unknown_seconds = mean_of_known(targets);
  std::vector<std::vector<Unit>> units;
  std::size_t units_left = 0;
  for (const auto& [kind, own] : by_kind) {
    units.push_back(units_of(own, profiles, unknown_seconds));
    units_left += units.back().size();
  }
  // Each kind gets rows by its share of the work, one at least.
  std::vector<MatrixRow> rows;
  std::size_t rows_left = max_rows, kinds_left = units.size();
  for (const std::vector<Unit>& own : units) {
    const std::size_t fair =
        units_left <= rows_left ? own.size() : std::max<std::size_t>(1, rows_left * own.size() / units_left);
    const std::size_t count = std::min({fair, own.size(), rows_left - (kinds_left - 1)});
    for (MatrixRow& row : deal_out(own, count)) rows.push_back(std::move(row));
    rows_left -= count;
    units_left -= own.size();
    --kinds_left;
  }
  std::stable_sort(rows.begin(), rows.end(), [](const MatrixRow& a, const MatrixRow& b) {
    return std::tie(a.targets[0]->name, a.targets[0]->platform) < std::tie(b.targets[0]->name, b.targets[0]->platform);
  });
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].id = fmt::format("wave{}-{:02}", wave, i + 1);
  return rows;
}

}  // namespace

std::vector<std::vector<MatrixRow>> matrix_rows(const std::vector<MatrixTarget>& targets, Profiles profiles,
                                                std::size_t max_rows) {
  std::map<std::size_t, std::vector<const MatrixTarget*>> by_wave;
  for (const MatrixTarget& target : targets) by_wave[target.wave].push_back(&target);
  std::vector<std::vector<MatrixRow>> waves;
  for (const auto& [wave, own] : by_wave) waves.push_back(rows_of_wave(wave, own, profiles, max_rows));
  return waves;
}

std::vector<MatrixRow> platform_rows(const std::vector<MatrixTarget>& targets) {
  std::map<RowKind, MatrixRow> rows;
  for (const MatrixTarget& target : targets) {
    if (target.job != MatrixJob::bake) continue;
    MatrixRow& row = rows[kind_of(target)];
    row.targets.push_back(&target);
    row.seconds += target.seconds;
  }
  std::vector<MatrixRow> result;
  for (auto& [kind, row] : rows) {
    row.id = fmt::format("platform-{:02}", result.size() + 1);
    result.push_back(std::move(row));
  }
  return result;
}

std::string matrix_json(const std::vector<MatrixRow>& rows) {
  using Json = nlohmann::ordered_json;
  Json include = Json::array();
  for (const MatrixRow& row : rows) {
    std::vector<std::string> names, images, profiles, platforms, inputs;
    std::set<std::string> parents;
    const auto add_once = [](std::vector<std::string>& list, const std::string& item) {
      if (!item.empty() && std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
    };
    for (const MatrixTarget* target : row.targets) {
      names.push_back(target->name);
      add_once(images, target->image);
      add_once(profiles, target->profile);
      add_once(platforms, target->platform);
      inputs.push_back(target->inputs);
      parents.insert(target->parents.begin(), target->parents.end());
    }
    include.push_back({{"id", row.id},
                       {"command", row.targets[0]->job == MatrixJob::index ? "index" : "bake"},
                       {"target", join(names, " ")},
                       {"image", join(images, " ")},
                       {"profile", join(profiles, " ")},
                       {"platform", join(platforms, " ")},
                       {"runner", row.targets[0]->runner},
                       {"parents", join({parents.begin(), parents.end()}, " ")},
                       {"inputs", join(inputs, " ")},
                       {"seconds", static_cast<std::int64_t>(std::lround(row.seconds))}});
  }
  return json_text(Json{{"include", include}});
}

}  // namespace kiln
