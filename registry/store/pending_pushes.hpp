#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "registry/oci/descriptor.hpp"
#include "registry/store/layout.hpp"

namespace kiln {

// A push that did not come about: `kiln push --pending` sends it.
struct PendingPush {
  // A blob of the image and the registry's repository ("HOST[:PORT]/path") it can be had from; empty: the store alone.
  struct Blob {
    oci::Digest digest;
    std::string source;

    bool operator==(const Blob&) const = default;
  };
  std::string target;       // the full reference that is to name it; one push is remembered for each
  oci::Descriptor root;     // manifest or index
  std::vector<Blob> blobs;  // all that it needs, `root` among them
  std::string since;        // RFC 3339
  std::string problem;      // why it failed, free of credentials

  bool operator==(const PendingPush&) const = default;
};

// The pushes that a home remembers, in $KILN_HOME/pending-pushes.json, readable by its owner alone. A garbage
// collection keeps their blobs. Any number of processes may change it at once. Grammar, version 1:
//
//   {"schema_version": 1, "pushes": [{"target", "root": DESCRIPTOR, "blobs": [{"digest", "source"}], "since",
//   "problem"}]}
class PendingPushes {
 public:
  explicit PendingPushes(const HomeLayout& home);

  // Sorted by target. Error{machine} naming a file that is none of kiln's.
  std::vector<PendingPush> list() const;
  // What `pushed` names is done: it is forgotten. What is in `failed` is remembered in place of what was under its
  // target. Nothing is written where nothing changes.
  void update(std::span<const std::string> pushed, std::span<const PendingPush> failed) const;

 private:
  fs::path file_;
  fs::path lock_;
};

}  // namespace kiln
