#include "builder/release/rollback_plan.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/json_number.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr int kSchemaVersion = 1;
constexpr std::size_t kKept = 20;

using State = RollbackPlan::State;
constexpr std::array<std::pair<State, std::string_view>, 6> kStates = {{{State::moving, "moving"},
                                                                        {State::undoing, "undoing"},
                                                                        {State::done, "done"},
                                                                        {State::undone, "undone"},
                                                                        {State::stuck, "stuck"},
                                                                        {State::abandoned, "abandoned"}}};
using Kind = HealthCheck::Kind;
constexpr std::array<std::pair<Kind, std::string_view>, 3> kKinds = {
    {{Kind::none, "none"}, {Kind::url, "url"}, {Kind::command, "command"}}};

template <class Table, class Value>
std::string word_of(const Table& table, Value value) {
  const auto it = std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.first == value; });
  return std::string(it->second);
}

template <class Table>
auto value_of(const Table& table, const std::string& word) {
  const auto it = std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.second == word; });
  if (it == table.end()) throw Error(Category::machine, fmt::format("unknown word '{}'", printable(word)));
  return it->first;
}

FileLock lock_or_refuse(const fs::path& file) {
  auto lock = FileLock::try_acquire(file, LockMode::exclusive);
  if (!lock) throw Error(Category::usage, "another 'kiln rollback' is at work in this home; wait for it to end");
  return std::move(*lock);
}

}  // namespace

oci::Reference TagMove::tagged(const std::string& tag) const { return oci::Reference::parse(repository).with_tag(tag); }

std::string_view to_string(State state) {
  return std::find_if(kStates.begin(), kStates.end(), [&](const auto& row) { return row.first == state; })->second;
}

std::string to_json_text(const RollbackPlan& plan) {
  nlohmann::ordered_json json;
  json["schema_version"] = kSchemaVersion;
  json["release"] = plan.release;
  json["registry"] = plan.registry;
  json["tag"] = plan.tag;
  json["created"] = plan.created;
  json["state"] = to_string(plan.state);
  json["health"] = {{"kind", word_of(kKinds, plan.health.kind)},
                    {"subject", plan.health.subject},
                    {"timeout_ms", plan.health.timeout_ms}};
  json["moves"] = nlohmann::ordered_json::array();
  for (const TagMove& move : plan.moves) {
    nlohmann::ordered_json entry;
    entry["name"] = move.name;
    entry["repository"] = move.repository;
    entry["from"] = move.from ? nlohmann::ordered_json(move.from->str()) : nlohmann::ordered_json();
    entry["to"] = move.to.str();
    json["moves"].push_back(std::move(entry));
  }
  return json_text(json, JsonLayout::indented) + "\n";
}

RollbackPlan parse_rollback_plan(std::string_view text, std::string_view where) {
  const nlohmann::json json = parse_json(text, where, Category::machine);
  try {
    if (json.at("schema_version") != kSchemaVersion) {
      throw Error(Category::machine, fmt::format("schema_version is {}, this kiln reads {}",
                                                 json_text(json.at("schema_version")), kSchemaVersion));
    }
    RollbackPlan plan;
    plan.release = json.at("release").get<std::string>();
    plan.registry = json.at("registry").get<std::string>();
    plan.tag = json.at("tag").get<std::string>();
    plan.created = json.at("created").get<std::string>();
    plan.state = value_of(kStates, json.at("state").get<std::string>());
    const nlohmann::json& health = json.at("health");
    const auto timeout_ms = json_number<int>(health.at("timeout_ms"));
    if (!timeout_ms) throw Error(Category::machine, "'timeout_ms' is no whole number of milliseconds");
    plan.health = {value_of(kKinds, health.at("kind").get<std::string>()), health.at("subject").get<std::string>(),
                   *timeout_ms};
    for (const nlohmann::json& entry : json.at("moves")) {
      TagMove move;
      move.name = entry.at("name").get<std::string>();
      move.repository = entry.at("repository").get<std::string>();
      if (const nlohmann::json& from = entry.at("from"); !from.is_null()) {
        move.from = oci::Digest::parse(from.get<std::string>(), "from", Category::machine);
      }
      move.to = oci::Digest::parse(entry.at("to").get<std::string>(), "to", Category::machine);
      plan.moves.push_back(std::move(move));
    }
    return plan;
  } catch (const nlohmann::json::exception& error) {
    throw Error(Category::machine, fmt::format("{}: is no rollback of kiln: {}", where, error.what()));
  } catch (Error& error) {
    error.add_context(fmt::format("in '{}'", where));
    throw;
  }
}

RollbackJournal::RollbackJournal(fs::path folder, const fs::path& lock_file)
    : folder_(std::move(folder)), lock_(lock_or_refuse(lock_file)) {
  make_directories(folder_);
}

std::optional<RollbackPlan> RollbackJournal::current() const {
  const auto text = read_file_if_exists(current_file());
  if (!text) return std::nullopt;
  RollbackPlan plan = parse_rollback_plan(*text, current_file().native());
  if (plan.is_finished()) return std::nullopt;
  return plan;
}

void RollbackJournal::write(const RollbackPlan& plan) const {
  write_file_atomically(current_file(), to_json_text(plan), Durability::durable, 0600);
  if (!plan.is_finished()) return;
  std::string when = plan.created;
  when.erase(std::remove(when.begin(), when.end(), ':'), when.end());
  fs::rename(current_file(), folder_ / fmt::format("{}-{}.json", when, plan.release));
  sync_directory(folder_);
  std::vector<std::string> ended = list_directory(folder_);
  for (std::size_t i = 0; i + kKept < ended.size(); ++i) fs::remove(folder_ / ended[i]);
}

}  // namespace kiln
