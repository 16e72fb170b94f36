#include "builder/cache/build_record.hpp"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "base/atomic_file.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/cache/record_member.hpp"
#include "builder/cache/record_sum.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxRecordBytes = std::uint64_t{64} << 20;
constexpr std::string_view kIdForm = "00000000T000000.000000-xxxxxxxx";  // 0: a digit, x: a hexadecimal one

oci::Digest digest_member(const json& value, std::string_view where) {
  if (value.is_string() && oci::Digest::is_valid(value.get<std::string>()))
    return oci::Digest::parse(value.get<std::string>());
  throw Error(Category::machine, fmt::format("{}: '{}' is no digest", where, printable(value.dump())));
}

json to_json(const InputDifference& difference) {
  json value = {
      {"type", input_type(difference.name)}, {"name", difference.name}, {"change", to_string(difference.change)}};
  if (difference.before) value["before"] = *difference.before;
  if (difference.after) value["after"] = *difference.after;
  if (!difference.about.empty()) value["about"] = difference.about;
  return value;
}

InputDifference difference_from_json(const json& value, std::string_view where) {
  using Change = InputDifference::Change;
  InputDifference difference;
  difference.name = record_member<std::string>(value, "name", where);
  const auto change = record_member<std::string>(value, "change", where);
  for (const Change known : {Change::changed, Change::added, Change::gone}) {
    if (change == to_string(known)) difference.change = known;
  }
  if (value.contains("before")) difference.before = record_member<std::string>(value, "before", where);
  if (value.contains("after")) difference.after = record_member<std::string>(value, "after", where);
  if (value.contains("about")) difference.about = record_member<std::string>(value, "about", where);
  return difference;
}

json to_json(const BuildRecordStep& step) {
  json value = {{"stage", step.stage},
                {"index", step.index},
                {"file", step.file},
                {"line", step.line},
                {"text", step.text},
                {"key", step.key},
                {"outcome", to_string(step.outcome)},
                {"seconds", step.seconds},
                {"bytes", step.bytes}};
  for (const oci::Digest& diff_id : step.diff_ids) value["diff_ids"].push_back(diff_id.str());
  if (!step.from.empty()) value["from"] = step.from;
  if (!step.reason.empty()) value["reason"] = step.reason;
  if (!step.against.empty()) value["against"] = step.against;
  for (const InputDifference& difference : step.differences) value["differences"].push_back(to_json(difference));
  return value;
}

BuildRecordStep step_from_json(const json& value, std::string_view where) {
  const auto text_or_nothing = [&](const char* key) {
    return value.contains(key) ? record_member<std::string>(value, key, where) : std::string();
  };
  BuildRecordStep step;
  step.stage = record_member<std::string>(value, "stage", where);
  step.index = record_member<int>(value, "index", where);
  step.file = record_member<std::string>(value, "file", where);
  step.line = record_member<int>(value, "line", where);
  step.text = record_member<std::string>(value, "text", where);
  step.key = record_member<std::string>(value, "key", where);
  const auto outcome = parse_step_outcome(record_member<std::string>(value, "outcome", where));
  if (!outcome) throw Error(Category::machine, fmt::format("{}: 'outcome' is none of a step", where));
  step.outcome = *outcome;
  step.seconds = record_member<double>(value, "seconds", where);
  step.bytes = record_member<std::uint64_t>(value, "bytes", where);
  step.from = text_or_nothing("from");
  step.reason = text_or_nothing("reason");
  step.against = text_or_nothing("against");
  if (value.contains("diff_ids")) {
    for (const json& item : record_member<json::array_t>(value, "diff_ids", where))
      step.diff_ids.push_back(digest_member(item, where));
  }
  if (value.contains("differences")) {
    for (const json& item : record_member<json::array_t>(value, "differences", where))
      step.differences.push_back(difference_from_json(item, where));
  }
  return step;
}

json to_json(const BuildRecordTarget& target) {
  json value = {{"name", target.name},         {"image", target.image}, {"profile", target.profile},
                {"platform", target.platform}, {"file", target.file},   {"names", target.names},
                {"steps", json::array()}};
  if (!target.parents.empty()) value["parents"] = target.parents;
  if (target.digest) value["digest"] = target.digest->str();
  for (const BuildRecordStep& step : target.steps) value["steps"].push_back(to_json(step));
  return value;
}

BuildRecordTarget target_from_json(const json& value, std::string_view where) {
  BuildRecordTarget target;
  target.name = record_member<std::string>(value, "name", where);
  target.image = record_member<std::string>(value, "image", where);
  target.profile = record_member<std::string>(value, "profile", where);
  target.platform = record_member<std::string>(value, "platform", where);
  target.file = record_member<std::string>(value, "file", where);
  target.names = record_member<std::vector<std::string>>(value, "names", where);
  if (value.contains("parents")) target.parents = record_member<std::vector<std::string>>(value, "parents", where);
  if (value.contains("digest")) target.digest = digest_member(value["digest"], where);
  for (const json& step : record_member<json::array_t>(value, "steps", where))
    target.steps.push_back(step_from_json(step, where));
  return target;
}

}  // namespace

std::vector<const BuildRecordTarget*> BuildRecord::find(std::string_view word) const {
  const auto reference = oci::Reference::parse_if_valid(word);  // what is none may still be a target
  const std::string full = reference ? reference->str() : "";
  std::vector<const BuildRecordTarget*> found;
  for (const BuildRecordTarget& target : targets) {
    const bool is_named = std::find(target.names.begin(), target.names.end(), full) != target.names.end();
    if (word.empty() || target.name == word || target.image == word || is_named) found.push_back(&target);
  }
  return found;
}

std::vector<const BuildRecordTarget*> BuildRecord::bases_of(const std::vector<const BuildRecordTarget*>& found) const {
  std::vector<const BuildRecordTarget*> bases;
  const std::set<const BuildRecordTarget*> asked(found.begin(), found.end());
  std::set<const BuildRecordTarget*> seen;
  const std::function<void(const BuildRecordTarget&)> add_bases = [&](const BuildRecordTarget& child) {
    for (const std::string& parent : child.parents) {
      const auto is_it = [&](const BuildRecordTarget& target) {
        return target.name == parent && target.platform == child.platform;
      };
      auto base = std::find_if(targets.begin(), targets.end(), is_it);
      if (base == targets.end()) {
        base = std::find_if(targets.begin(), targets.end(), [&](const auto& target) { return target.name == parent; });
      }
      if (base == targets.end() || !seen.insert(&*base).second) continue;
      add_bases(*base);
      if (!asked.contains(&*base)) bases.push_back(&*base);
    }
  };
  for (const BuildRecordTarget* target : found) add_bases(*target);
  return bases;
}

std::string new_build_id() {
  unsigned char raw[4];
  if (RAND_bytes(raw, sizeof raw) != 1) throw Error(Category::machine, "OpenSSL has no random numbers");
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  std::string time = format_rfc3339(now / 1000000);
  std::erase_if(time, [](char c) { return c == '-' || c == ':' || c == 'Z'; });
  return fmt::format("{}.{:06}-{}", time, now % 1000000,
                     hex(std::string_view(reinterpret_cast<const char*>(raw), sizeof raw)));
}

bool is_build_id(std::string_view text) {
  return std::equal(text.begin(), text.end(), kIdForm.begin(), kIdForm.end(), [](char c, char form) {
    const bool is_digit = c >= '0' && c <= '9';
    if (form == '0') return is_digit;
    if (form == 'x') return is_digit || (c >= 'a' && c <= 'f');
    return c == form;
  });
}

std::string serialise(const BuildRecord& record) {
  json value = {{"version", 1},
                {"id", record.id},
                {"created", record.created},
                {"kiln_version", record.kiln_version},
                {"seconds", record.seconds},
                {"failed", record.failed},
                {"targets", json::array()}};
  if (!record.fleet.empty()) value["fleet"] = record.fleet.native();
  for (const BuildRecordTarget& target : record.targets) value["targets"].push_back(to_json(target));
  return dump_with_sum(value);
}

BuildRecord parse_build_record(std::string_view text, std::string_view where) {
  json value = parse_json(text, where, Category::machine, {.max_bytes = kMaxRecordBytes});
  if (const int version = record_member<int>(value, "version", where); version != 1) {
    throw Error(Category::machine, fmt::format("{}: record version {}, expected 1", where, version));
  }
  check_sum(value, where);
  BuildRecord record;
  record.id = record_member<std::string>(value, "id", where);
  record.created = record_member<std::string>(value, "created", where);
  record.kiln_version = record_member<std::string>(value, "kiln_version", where);
  record.seconds = record_member<double>(value, "seconds", where);
  record.failed = record_member<bool>(value, "failed", where);
  if (value.contains("fleet")) record.fleet = record_member<std::string>(value, "fleet", where);
  for (const json& target : record_member<json::array_t>(value, "targets", where))
    record.targets.push_back(target_from_json(target, where));
  return record;
}

void BuildRecordStore::save(const BuildRecord& record) const {
  make_directories(folder_);
  // A record that a power cut loses is an explanation less; the build does not wait for the disk.
  write_file_atomically(path_of(record.id), serialise(record), Durability::ephemeral);
  const std::vector<std::string> all = ids();
  for (std::size_t i = 0; i + keep_ < all.size(); ++i) ::unlink(path_of(all[i]).c_str());
}

std::vector<std::string> BuildRecordStore::ids() const {
  std::vector<std::string> ids;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    const std::string stem = it->path().stem();
    if (it->path().extension() == ".json" && is_build_id(stem)) ids.push_back(stem);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::optional<BuildRecord> BuildRecordStore::load(std::string_view id) const {
  if (!is_build_id(id)) return std::nullopt;
  const auto text = read_file_if_exists(path_of(id), kMaxRecordBytes);
  if (!text) return std::nullopt;
  return parse_build_record(*text, fmt::format("build record '{}'", path_of(id).native()));
}

}  // namespace kiln
