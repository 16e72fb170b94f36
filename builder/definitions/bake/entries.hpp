#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/hcl/value.hpp"

// Attributes that are lists of things with parts, which are written as texts ("type=registry,ref=a/b") or as objects:
// caches, outputs, attestations, secrets, SSH agents and policies. Each entry becomes a map of strings, an SSH agent an
// object {id, paths}; a policy that names several files has a list of them, "filenames". hcl::ValueError for what is
// malformed.
namespace kiln::bake {

enum class EntryKind { attestation, cache, output, policy, secret, ssh };

// What a text means. For a cache it may be several: references behind commas.
std::vector<hcl::Value> entries_of_text(EntryKind kind, const std::string& text);
hcl::Value entry_of_value(EntryKind kind, const hcl::Value& value);
// A whole list; empty texts are left out.
std::vector<hcl::Value> entries_of_list(EntryKind kind, const hcl::Value& list);

// As buildx takes repeats away: of attestations, secrets and agents the last of a type or an id counts, in the first
// one's place; of the others equal ones, by its way of moving the last entry into the gap.
void remove_repeats(EntryKind kind, std::vector<hcl::Value>& entries);

// The text of an entry, as --output, --cache-from, --secret and so on take it.
std::string text_of_entry(EntryKind kind, const hcl::Value& entry);

// The words that Go's strconv.ParseBool takes; nullopt for others.
std::optional<bool> flag_of_text(std::string_view text);

}  // namespace kiln::bake
