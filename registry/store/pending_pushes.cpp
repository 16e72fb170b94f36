#include "registry/store/pending_pushes.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/file_lock.hpp"
#include "base/json.hpp"
#include "registry/store/index_json.hpp"

namespace kiln {

namespace {

constexpr int kSchemaVersion = 1;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;

nlohmann::json json_of(const PendingPush& push) {
  nlohmann::json blobs = nlohmann::json::array();
  for (const PendingPush::Blob& blob : push.blobs)
    blobs.push_back({{"digest", blob.digest.str()}, {"source", blob.source}});
  return {{"target", push.target},
          {"root", oci::to_json(push.root)},
          {"blobs", std::move(blobs)},
          {"since", push.since},
          {"problem", push.problem}};
}

PendingPush push_from(const nlohmann::json& entry, const std::string& where) {
  PendingPush push;
  push.target = entry.at("target").get<std::string>();
  push.root = stored_descriptor(entry.at("root"), where);
  for (const nlohmann::json& blob : entry.at("blobs")) {
    push.blobs.push_back({oci::Digest::parse(blob.at("digest").get<std::string>(), where, Category::machine),
                          blob.at("source").get<std::string>()});
  }
  push.since = entry.at("since").get<std::string>();
  push.problem = entry.at("problem").get<std::string>();
  return push;
}

}  // namespace

PendingPushes::PendingPushes(const HomeLayout& home)
    : file_(home.root() / "pending-pushes.json"), lock_(home.locks() / "pending-pushes") {}

std::vector<PendingPush> PendingPushes::list() const {
  const auto text = read_file_if_exists(file_, kMostBytes);
  if (!text) return {};
  const nlohmann::json document = parse_json(*text, file_.native(), Category::machine, {kMostBytes, 16});
  try {
    if (document.at("schema_version") != kSchemaVersion) {
      throw Error(Category::machine, fmt::format("'{}': schema_version is {}, this kiln reads {}", file_.native(),
                                                 json_text(document.at("schema_version")), kSchemaVersion));
    }
    std::vector<PendingPush> pushes;
    for (const nlohmann::json& entry : document.at("pushes")) pushes.push_back(push_from(entry, file_.native()));
    return pushes;
  } catch (const nlohmann::json::exception& error) {
    throw Error(Category::machine, fmt::format("'{}' is no list of pending pushes: {}", file_.native(), error.what()));
  }
}

void PendingPushes::update(std::span<const std::string> pushed, std::span<const PendingPush> failed) const {
  if (failed.empty() && !fs::exists(file_)) return;
  const FileLock lock = FileLock::acquire(lock_, LockMode::exclusive);
  const std::vector<PendingPush> before = list();
  std::map<std::string, PendingPush> pushes;
  for (const PendingPush& push : before) pushes.emplace(push.target, push);
  for (const std::string& target : pushed) pushes.erase(target);
  for (const PendingPush& push : failed) pushes.insert_or_assign(push.target, push);
  std::vector<PendingPush> after;
  for (auto& [target, push] : pushes) after.push_back(std::move(push));
  if (after == before) return;
  nlohmann::json entries = nlohmann::json::array();
  for (const PendingPush& push : after) entries.push_back(json_of(push));
  const nlohmann::json json = {{"schema_version", kSchemaVersion}, {"pushes", std::move(entries)}};
  write_file_atomically(file_, json_text(json, JsonLayout::indented) + "\n", Durability::durable, 0600);
}

}  // namespace kiln
