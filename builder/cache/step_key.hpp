#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "registry/oci/digest.hpp"

namespace kiln {

// The key of a step: what it is looked up by in every cache, local or shared.
//
// A key is made of contents, not of history: the same key means that executing the step would write the same files.
// Times of input files, paths on this machine, the order of flags and the names of images are never in it.
//
// Grammar, version 1 (pinned by golden keys; a change of meaning needs a new version, so that old records miss):
//
//   key     = sha256( "kiln step key 1\n" kind "\n" field* )       written as 64 hex digits
//   field   = name SP type SP length ":" bytes "\n"                 name: lower-case words, '.' between parts
//   type    = "s" (bytes as they are) | "n" (decimal number) | "l" (list: bytes is a sequence of items)
//   item    = length ":" bytes
//   length  = decimal number of bytes
//
// Fields by kind, in this order; a field that does not apply is left out:
//
//   run       platform, parents (l: diff IDs), user.uid, user.gid, user.groups (l), cwd, env (l, sorted; without
//             proxies and build-time trust), argv (l), heredoc (s, each), mount (l, each, in order: type, target,
//             options ..., digest of the selected source tree), network, security, hosts (l), ulimits (l), shm
//   copy      times ("keep", or the epoch every time is set to), entry (l, each, in path order: path, type, mode,
//             uid, gid, content digest, link target, device, xattr pairs); link ("1" for --link)
//   workdir   as copy: it is a copy of directories
//   debian    lock (s: digest of the locked package list, the epoch and what is trimmed)
class StepKeyBuilder {
 public:
  explicit StepKeyBuilder(std::string_view kind);

  StepKeyBuilder& text(std::string_view name, std::string_view value);
  StepKeyBuilder& number(std::string_view name, std::int64_t value);
  StepKeyBuilder& list(std::string_view name, const std::vector<std::string>& items);

  // The key. The builder is spent.
  std::string finish();

 private:
  void field(std::string_view name, char type, std::string_view bytes);
  oci::Sha256 hash_;
  std::string unhashed_;  // a key is made of very many small fields
  std::string items_;
};

inline constexpr int kStepKeyVersion = 1;

bool is_step_key(std::string_view text);

}  // namespace kiln
