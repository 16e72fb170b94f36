#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/file_entry.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

// The key of a step: what it is looked up by in every cache, local or shared.
//
// A key is made of contents, not of history: the same key means that executing the step would write the same files.
// Times of input files, paths of this machine, the order of flags and the names of images are never in it.
//
// Grammar, version 2 (pinned by golden keys; a change of meaning needs a new version, so that old records miss):
//
//   key     = sha256( "kiln step key 2\n" kind "\n" field* )       written as 64 hex digits
//   field   = name SP type SP length ":" bytes "\n"                 name: lower-case words, '.' between parts
//   type    = "s" (bytes as they are) | "n" (decimal number) | "l" (list: bytes is a sequence of items)
//   item    = length ":" bytes
//   length  = decimal number of bytes
//
// An entry of a tree (what COPY writes, what a bind mount shows, a file of a build context) is a list field "entry" of
// these items; one that the entry's type has no use for is empty, or 0:
//
//   path, type (a letter: f d l h c b p w o), mode (octal), uid, gid, content ("sha256:" hex digits), link target,
//   device (major ":" minor), then for each xattr, by name: name, value
//
// Fields by kind, in this order; a field that does not apply is left out:
//
//   run       platform (s), parents (l: diff IDs), user.uid (n), user.gid (n), user.groups (l), cwd (s),
//             env (l, sorted; without proxies and build-time trust), argv (l), heredoc (s), mount (l, each, in order),
//             network (s), security (s), hosts (l), ulimits (l), shm (n), times (n: rewrite-timestamp),
//             layers (l: "package", version of the cut, limit; with rewrite-timestamp "bytecode as written")
//             a mount's items are its type, its target, and: of bind "ro" or "rw" and the digest of the tree it shows;
//             of tmpfs the size and, where it is read-only, "ro"; of cache and ssh the id; of secret the id and the
//             variable that gets it ("" for none)
//   tree      entry (each, in path order; paths below the tree's root): the digest of what a bind mount shows
//   copy      times (s: "keep", or the epoch every time is set to), entry (each, in path order)
//   workdir   as copy: it is a copy of directories
//   debian    lock (s: digest of the locked package list, the epoch and what is trimmed)
//   inputs    all that decides a target's image, see target_inputs.hpp; of several platforms index inputs, inputs (s)
//   shape     times (n), entry and size (n) (each, in path order): what a cut layer is found by in the store; in
//             a shared cache by shape (s: that one) and form (s: of its blob)
//   layer     blob (s), diff (s): what a foreign layer's file index is found by
//   bundle    target (l): what the step entries of a target are found by together
//
// History: version 1 had three forms of an entry. That of bind mounts had neither devices nor xattrs: a capability that
// a stage set and a RUN read was a stale hit. That of inputs had no owners either. Secrets were told by their id alone.
class StepKeyBuilder {
 public:
  explicit StepKeyBuilder(std::string_view kind);

  StepKeyBuilder& text(std::string_view name, std::string_view value);
  StepKeyBuilder& number(std::string_view name, std::int64_t value);
  StepKeyBuilder& list(std::string_view name, const std::vector<std::string>& items);

  // An entry of a tree. `path` stands in place of its own: below the root of a mount, at the target of a copy.
  StepKeyBuilder& entry(std::string_view path, const FileEntry& entry);

  // The key. The builder is spent.
  std::string finish();

 private:
  void field(std::string_view name, char type, std::string_view bytes);
  void item(std::string_view bytes);
  oci::Sha256 hash_;
  std::string unhashed_;  // a key is made of very many small fields
  std::string items_;
};

inline constexpr int kStepKeyVersion = 2;

bool is_step_key(std::string_view text);

}  // namespace kiln
