#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/file_lock.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

// How a rollback's success is checked once the tags have moved.
struct HealthCheck {
  enum class Kind { none, url, command } kind = Kind::none;
  std::string subject;  // a URL that must answer 2xx, or a command line for /bin/sh that must exit with 0
  int timeout_ms = 30'000;

  bool operator==(const HealthCheck&) const = default;
};

// One tag of one image that a rollback moves.
struct TagMove {
  std::string name;                 // the fleet's target
  std::string repository;           // registry/path
  std::optional<oci::Digest> from;  // what the tag named before; nullopt: there was no such tag
  oci::Digest to;                   // what the release recorded

  bool is_needed() const { return from != to; }
  oci::Reference tagged(const std::string& tag) const;
  bool operator==(const TagMove&) const = default;
};

// What a rollback is to do, written down before the first tag moves. Which moves were done is not recorded: what a tag
// names at the registry says it, so a plan that a crash left can be finished or undone at any point. Grammar of the
// file, version 1:
//
//   {"schema_version": 1, "release": "v1", "registry": "ghcr.io/acme", "tag": "latest", "created":
//   "2026-11-20T12:00:00Z",
//    "state": "moving" | "undoing" | "done" | "undone" | "stuck" | "abandoned",
//    "health": {"kind": "none" | "url" | "command", "subject": "...", "timeout_ms": N},
//    "moves": [{"name", "repository", "from": "sha256:..." or null, "to": "sha256:..."}]}
struct RollbackPlan {
  enum class State {
    moving,   // begun; tags name either of their digests
    undoing,  // failed; tags are being put back
    done,
    undone,
    stuck,      // some tags could not be put back
    abandoned,  // given up by hand
  };
  std::string release;
  std::string registry;
  std::string tag;
  std::string created;  // RFC 3339
  State state = State::moving;
  HealthCheck health;
  std::vector<TagMove> moves;

  bool is_finished() const noexcept {
    return state == State::done || state == State::undone || state == State::abandoned;
  }
  bool operator==(const RollbackPlan&) const = default;
};

std::string_view to_string(RollbackPlan::State state);
std::string to_json_text(const RollbackPlan& plan);
// Error{machine} naming `where`: only kiln writes such files.
RollbackPlan parse_rollback_plan(std::string_view text, std::string_view where);

inline constexpr char kRollbacksFolder[] = "rollbacks";  // below $KILN_HOME

// The rollbacks of a home: rollbacks/current.json while one is under way, and rollbacks/CREATED-RELEASE.json of the
// last twenty that ended. Readable by their owner alone (a health command may hold a secret). Holding
// a journal holds the home's lock on rollbacks, so that two never run at once: Error{usage} where another process has
// it.
class RollbackJournal {
 public:
  RollbackJournal(fs::path folder, const fs::path& lock_file);

  // The rollback that was begun and not ended; nullopt where there is none.
  std::optional<RollbackPlan> current() const;
  // Writes it durably; a finished plan is put among those that ended.
  void write(const RollbackPlan& plan) const;
  fs::path current_file() const { return folder_ / "current.json"; }

 private:
  fs::path folder_;
  FileLock lock_;
};

}  // namespace kiln
