#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/layer.hpp"

namespace kiln {

// One input of a step, for explaining a miss. Its value is compared by digest; the value itself is kept only where
// it is short and its name does not look like a secret's.
struct StepInput {
  std::string name;                  // "ENV PATH", "ARG VERSION", "command", "parent 3", "source app/", "user"
  std::string digest;                // HMAC-SHA256 of the value under the record's salt, 64 hex digits
  std::optional<std::string> value;  // what people may see of it

  bool operator==(const StepInput&) const = default;
};

// A value on its way into a record: what it is called, all of it, and whether it may be shown.
struct RawInput {
  std::string name;
  std::string value;
  bool may_be_shown = true;
};

// What one executed step gave: the entry of every cache.
//
// JSON, version 1 (unknown members are ignored, another version is a miss):
//   {"version": 1, "kind": "run", "key": HEX, "text": "RUN ...", "target": "app", "file": "Dockerfile", "line": 7,
//    "layers": [LayerValue...], "seconds": 1.25, "created": RFC3339, "salt": HEX,
//    "inputs": [{"name": ..., "digest": HEX, "value": ...}]}
struct StepRecord {
  std::string kind;
  std::string key;
  std::string text;
  std::string target;
  std::string file;
  int line = 0;
  std::vector<LayerValue> layers;
  double seconds = 0;
  std::string created;
  std::string salt;
  std::vector<StepInput> inputs;
};

std::string serialise(const StepRecord& record);
// Error{machine} naming `where` for anything that is not a record of this version for `key`.
StepRecord parse_step_record(std::string_view text, std::string_view key, std::string_view where);

// Salts and shortens the inputs of a step. Values of names that look like a secret's (TOKEN, PASSWORD, SECRET, KEY,
// CREDENTIAL ...), values with a URL's user part and those over 256 bytes are kept as digests only.
std::string new_salt();
std::vector<StepInput> salted_inputs(const std::vector<RawInput>& inputs, std::string_view salt);
bool looks_like_secret(std::string_view name);

// Why `now` is not what `earlier` recorded: the first inputs that differ, by name and, where both may be seen, by
// value. "" where nothing differs.
std::string explain_difference(const std::vector<RawInput>& now, const StepRecord& earlier);

}  // namespace kiln
