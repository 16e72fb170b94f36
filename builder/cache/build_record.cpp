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
#include "base/json_members.hpp"
#include "base/text.hpp"
#include "builder/cache/record_sum.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxRecordBytes = std::uint64_t{64} << 20;
constexpr std::string_view kIdForm = "00000000T000000.000000-xxxxxxxx";  // 0: a digit, x: a hexadecimal one

oci::Digest digest_member(const JsonMembers& object, const char* key, const std::string& text) {
  if (!oci::Digest::is_valid(text)) object.refuse(key, fmt::format("'{}' is no digest", printable(text)));
  return oci::Digest::parse(text);
}

json to_json(const InputDifference& difference) {
  json value = {
      {"type", input_word(difference.name)}, {"name", difference.name}, {"change", to_string(difference.change)}};
  if (difference.before) value["before"] = *difference.before;
  if (difference.after) value["after"] = *difference.after;
  if (!difference.about.empty()) value["about"] = difference.about;
  return value;
}

InputDifference difference_from_json(const JsonMembers& object) {
  using Change = InputDifference::Change;
  InputDifference difference;
  difference.name = object.string("name");
  const std::string change = object.string("change");
  for (const Change known : {Change::changed, Change::added, Change::gone}) {
    if (change == to_string(known)) difference.change = known;
  }
  if (object.has("before")) difference.before = object.string("before");
  if (object.has("after")) difference.after = object.string("after");
  difference.about = object.string_or("about");
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
  if (step.miss_kind != MissKind::changed) value["miss"] = to_string(step.miss_kind);
  if (!step.against.empty()) value["against"] = step.against;
  for (const InputDifference& difference : step.differences) value["differences"].push_back(to_json(difference));
  return value;
}

BuildRecordStep step_from_json(const JsonMembers& object) {
  BuildRecordStep step;
  step.stage = object.string("stage");
  step.index = object.small_integer("index");
  step.file = object.string("file");
  step.line = object.small_integer("line");
  step.text = object.string("text");
  step.key = object.string("key");
  const auto outcome = parse_step_outcome(object.string("outcome"));
  if (!outcome) object.refuse("outcome", "none of a step");
  step.outcome = *outcome;
  step.seconds = object.number("seconds");
  step.bytes = object.unsigned_integer("bytes");
  step.from = object.string_or("from");
  step.reason = object.string_or("reason");
  step.miss_kind = parse_miss_kind(object.string_or("miss")).value_or(MissKind::changed);
  step.against = object.string_or("against");
  for (const std::string& diff_id : object.strings_or_none("diff_ids"))
    step.diff_ids.push_back(digest_member(object, "diff_ids", diff_id));
  object.each_or_none("differences", [&](const JsonMembers& difference) {
    step.differences.push_back(difference_from_json(difference));
  });
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

BuildRecordTarget target_from_json(const JsonMembers& object) {
  BuildRecordTarget target;
  target.name = object.string("name");
  target.image = object.string("image");
  target.profile = object.string("profile");
  target.platform = object.string("platform");
  target.file = object.string("file");
  target.names = object.strings("names");
  target.parents = object.strings_or_none("parents");
  if (object.has("digest")) target.digest = digest_member(object, "digest", object.string("digest"));
  object.each("steps", [&](const JsonMembers& step) { target.steps.push_back(step_from_json(step)); });
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
  const JsonMembers::Refuse refuse = JsonMembers::refusal(where, Category::machine);
  const JsonMembers object(value, refuse);
  if (const int version = object.small_integer("version"); version != 1) {
    throw Error(Category::machine, fmt::format("{}: record version {}, expected 1", where, version));
  }
  check_sum(value, where, Category::machine);
  BuildRecord record;
  record.id = object.string("id");
  record.created = object.string("created");
  record.kiln_version = object.string("kiln_version");
  record.seconds = object.number("seconds");
  record.failed = object.boolean("failed");
  record.fleet = object.string_or("fleet");
  object.each("targets", [&](const JsonMembers& target) { record.targets.push_back(target_from_json(target)); });
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
