#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/file_entry.hpp"
#include "builder/layer/layer.hpp"
#include "builder/netlog/network_record.hpp"

namespace kiln {

// What makes a step's layers. ADD is a copy, too.
enum class StepKind { run, copy, workdir, debian };

// As records and keys have it: "run".
std::string_view to_string(StepKind kind);

// What an input of a step is.
enum class InputType {
  command,
  script,
  destination,
  directory,
  file,
  mount,
  parent_layer,
  base_image,
  arg,
  env,
  profile,
  platform,
  user,
  working_directory,
  network,
  security,
  host,
  ulimit,
  shm_size,
  times,
  layers,
  package,
  epoch,
};

// One input of a step, for explaining a miss. Its value is compared by digest; the value itself is kept only where
// it is short and its name does not look like a secret's.
//
// Its name is the word of a type and, for most types, a space and which one of them: "ARG VERSION". See input_name().
struct StepInput {
  std::string name;
  std::string digest;                // HMAC-SHA256 of the value under the record's salt, its first 32 hex digits
  std::optional<std::string> value;  // what people may see of it

  bool operator==(const StepInput&) const = default;
};

// A record's inputs as the text that is stored, since a COPY may have a hundred thousand of them and only the
// explaining of a miss asks for them: a JSON array for each, [name, digest] or [name, digest, value], and a line feed.
class StepInputs {
 public:
  StepInputs() : text_(std::make_shared<const std::string>()) {}
  StepInputs(const std::vector<StepInput>& inputs);
  static StepInputs from_text(std::string text);

  const std::string& text() const noexcept { return *text_; }
  // Error{machine} for a text that is none.
  std::vector<StepInput> list() const;

 private:
  std::shared_ptr<const std::string> text_;
};

// A value on its way into a record: what it is called, all of it, and whether it may be shown.
struct RawInput {
  std::string name;
  std::string value;
  bool may_be_shown = true;
  std::string about = {};  // for people: the line that made a parent layer
};

// What explains a miss by an entry of a tree; `name` is "file PATH" or "directory PATH".
RawInput entry_input(std::string name, const FileEntry& entry);

// "parent layer 3"; the word alone for what there is one of.
std::string input_name(InputType type, std::string_view which = {});
// The type of an input, by its name; nullopt for one of a later version of kiln.
std::optional<InputType> input_type(std::string_view name);
// The word of its type: "file" of "file app/main.py".
std::string_view input_word(std::string_view name);

// An input that is not what an earlier record has.
struct InputDifference {
  enum class Change { changed, added, gone };
  std::string name;
  Change change = Change::changed;
  std::optional<std::string> before;  // where both records may show it
  std::optional<std::string> after;
  std::string about;

  bool operator==(const InputDifference&) const = default;
};

std::string_view to_string(InputDifference::Change change);
// "ENV MODE changed from 'a' to 'b'"
std::string to_text(const InputDifference& difference);

// What one executed step made: the entry of every cache.
//
// Lines of text, version 2: a JSON object (unknown members are ignored, another version is a miss), the inputs, a sum:
//   {"version": 2, "kind": "run", "key": HEX, "text": "RUN ...", "target": "app", "file": "Dockerfile", "line": 7,
//    "layers": [LayerValue...], "seconds": 1.25, "created": RFC3339, "salt": HEX, "network": NetworkRecord}
//   [name, digest, value]                                                                  see StepInputs
//   sum HEX
// The sum is the sha256 of all before its line: a record with a flipped bit is none.
struct StepRecord {
  StepKind kind = StepKind::run;
  std::string key;
  std::string text;
  std::string target;
  std::string file;
  int line = 0;
  std::vector<LayerValue> layers;
  double seconds = 0;
  std::string created;
  std::string salt;
  StepInputs inputs;
  std::optional<NetworkRecord> network;  // none: it was not recorded what was fetched
};

std::string serialise(const StepRecord& record);
// Error{machine} naming `where` for anything that is not a record of this version for `key`.
StepRecord parse_step_record(std::string_view text, std::string_view key, std::string_view where);

// Salts and shortens the inputs of a step. Values of names that look like a secret's (TOKEN, PASSWORD, SECRET, KEY,
// CREDENTIAL ...), values with a URL's user part and those over 256 bytes are kept as digests only.
std::string new_salt();
std::vector<StepInput> salted_inputs(const std::vector<RawInput>& inputs, std::string_view salt);

// Why `now` is not what `earlier` recorded: all inputs that differ, in the order of `now`, those that are gone last. Of
// the parent layers only the first: what lies above it was built on it.
std::vector<InputDifference> find_differences(const std::vector<RawInput>& now, const StepRecord& earlier);
// The first few of them on one line; "" for none.
std::string to_text(const std::vector<InputDifference>& differences);

}  // namespace kiln
