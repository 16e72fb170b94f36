#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/cli/words/arguments.hpp"
#include "builder/definitions/attestations.hpp"

namespace kiln::cli {

// Flags of `docker buildx build` and `bake` whose meaning kiln has only in part, and those that it refuses;
// docs/buildx-flags.md lists all.
struct BuildxWords {
  std::vector<std::string> allow;
  std::string call;
  std::vector<std::string> attestations;
  std::string provenance;
  std::string sbom;
  std::string attached_as;
  std::vector<std::string> policies;  // of bake
  bool remove = false;

  bool allows_insecure() const;
  // What --attest, --sbom and --provenance say, as words of --attest, the last of a type being the one that counts.
  std::vector<std::string> attestation_words() const;
  // nullopt where --attest-as is not given. Error{usage}.
  std::optional<AttachedAs> attach_as() const;
  bool wants_check() const { return call == "check" || call == "lint"; }
  // What these words put over every target of bake files, as words of --set. `bake --print` shows all that buildx
  // knows, also what kiln builds nothing with. Error{usage} for a call that is none.
  std::vector<std::string> words_of_set() const;
};

// Whether what is pushed is told of by default: not where BUILDX_NO_DEFAULT_ATTESTATIONS is true. Error{usage} for a
// value that is neither true nor false.
bool has_default_provenance();

void add_buildx_flags(Arguments& build, BuildxWords& words);
// The same of `docker buildx bake`.
void add_buildx_bake_flags(Arguments& bake, BuildxWords& words);

// Error{usage} with the reason and the alternative for a value that cannot be honoured.
void check_buildx_words(const BuildxWords& words);
// The same of what a build alone cannot honour: where definitions are printed only, words_of_set() takes it.
void check_allowed(const BuildxWords& words);

}  // namespace kiln::cli
