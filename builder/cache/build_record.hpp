#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "builder/cache/step_outcome.hpp"
#include "builder/cache/step_record.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

// How one step of one target went in one build. What it was made from stands in the step's own record, under `key`, and
// what of that differed from the nearest earlier build here, found when all values were at hand: records hold keyed
// digests only.
struct BuildRecordStep {
  std::string stage;
  int index = 0;  // of the steps of its stage, from 1; 0 for what is no instruction
  std::string file;
  int line = 0;
  std::string text;
  std::string key;  // empty where it failed before that was known
  StepOutcome outcome = StepOutcome::built;
  std::string from;                        // of a hit
  std::string reason;                      // of a miss or failure
  MissKind miss_kind = MissKind::changed;  // of a miss
  double seconds = 0;                      // of executing it, now or, for a hit, when it was recorded
  std::uint64_t bytes = 0;                 // of its layers' blobs
  std::vector<oci::Digest> diff_ids;
  std::string against;  // when the build was recorded that `differences` compare with; RFC 3339, empty for none
  std::vector<InputDifference> differences;

  bool operator==(const BuildRecordStep&) const = default;
};

struct BuildRecordTarget {
  std::string name;   // of the fleet; empty for kiln build
  std::string image;  // without the profile
  std::string profile;
  std::string platform;
  std::string file;                   // its Dockerfile
  std::vector<std::string> names;     // references it was to be published under
  std::optional<oci::Digest> digest;  // of its manifest; nullopt where it was not made or not asked for
  std::vector<BuildRecordStep> steps;
  std::vector<std::string> parents = {};  // targets of the build that it is built from

  bool operator==(const BuildRecordTarget&) const = default;
};

// One run of build or bake, kept so that `kiln why` can answer offline. Values of secrets are never in it.
//
// JSON, version 1, one file a build, builds/ID.json; its members are called as here. Unknown members are ignored,
// another version is refused. ID is the UTC time and four random bytes, "20261121T094210.123456-1f00ab34": IDs sort by
// time, and two machines never make the same.
struct BuildRecord {
  std::string id;
  std::string created;  // RFC 3339
  std::string kiln_version;
  double seconds = 0;
  bool failed = false;
  fs::path fleet;  // the folder of its definitions; empty: there are none, or it was not kept
  std::vector<BuildRecordTarget> targets;

  bool operator==(const BuildRecord&) const = default;

  // The targets that a word names: a target, an image (each of its profiles), or one of the names, in full or as people
  // write it ("app", "app:1"); all of them for "".
  std::vector<const BuildRecordTarget*> find(std::string_view word) const;
  // What these are built from, over and over, and they are not themselves; every one before what is built from it.
  std::vector<const BuildRecordTarget*> bases_of(const std::vector<const BuildRecordTarget*>& found) const;
};

std::string new_build_id();
bool is_build_id(std::string_view text);

std::string serialise(const BuildRecord& record);
// Error{machine} naming `where` for what is no such record.
BuildRecord parse_build_record(std::string_view text, std::string_view where);

// The build records of this machine. Any number of processes: a record appears whole, and each save removes the oldest.
class BuildRecordStore {
 public:
  explicit BuildRecordStore(fs::path folder, std::size_t keep = 200) : folder_(std::move(folder)), keep_(keep) {}

  void save(const BuildRecord& record) const;
  // Oldest first.
  std::vector<std::string> ids() const;
  // nullopt where there is none (any more). Error{machine} for a damaged one.
  std::optional<BuildRecord> load(std::string_view id) const;
  fs::path path_of(std::string_view id) const { return folder_ / (std::string(id) + ".json"); }

 private:
  fs::path folder_;
  std::size_t keep_;
};

}  // namespace kiln
