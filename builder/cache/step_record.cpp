#include "builder/cache/step_record.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.hpp"
#include "base/json_members.hpp"
#include "base/secret_values.hpp"
#include "base/text.hpp"
#include "builder/cache/step_key.hpp"

namespace kiln {

namespace {

using nlohmann::json;

struct InputWord {
  InputType type;
  std::string_view word;
};

// As records have them.
constexpr InputWord kInputWords[] = {
    {InputType::command, "command"},
    {InputType::script, "script"},
    {InputType::destination, "destination"},
    {InputType::directory, "directory"},
    {InputType::file, "file"},
    {InputType::mount, "mount"},
    {InputType::parent_layer, "parent layer"},
    {InputType::base_image, "base image"},
    {InputType::arg, "ARG"},
    {InputType::env, "ENV"},
    {InputType::profile, "profile"},
    {InputType::platform, "platform"},
    {InputType::user, "user"},
    {InputType::working_directory, "working directory"},
    {InputType::network, "network"},
    {InputType::security, "security"},
    {InputType::host, "host"},
    {InputType::ulimit, "ulimit"},
    {InputType::shm_size, "shm size"},
    {InputType::times, "times of files"},
    {InputType::layers, "layers"},
    {InputType::package, "package"},
    {InputType::epoch, "epoch"},
};

constexpr std::size_t kLongestShownValue = 256;
constexpr std::size_t kMostListedDifferences = 4;
constexpr unsigned int kDigestBytes = 16;
constexpr std::size_t kMaxHeadBytes = std::size_t{16} << 20;
constexpr std::size_t kSumBytes = 4 + 64 + 1;  // "sum HEX\n"

std::string keyed_digest(std::string_view salt, std::string_view value) {
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), salt.data(), static_cast<int>(salt.size()), reinterpret_cast<const unsigned char*>(value.data()),
       value.size(), raw, &size);
  return hex(std::string_view(reinterpret_cast<const char*>(raw), std::min<unsigned int>(size, kDigestBytes)));
}

bool has_url_user(std::string_view value) {
  const std::size_t scheme = value.find("://");
  return scheme != std::string_view::npos && value.find('@', scheme) != std::string_view::npos;
}

bool may_keep_value(const RawInput& input) {
  return input.may_be_shown && input.value.size() <= kLongestShownValue && !looks_like_secret(input.name) &&
         !has_url_user(input.value);
}

StepKind kind_of(std::string_view text, std::string_view where) {
  for (const StepKind kind : {StepKind::run, StepKind::copy, StepKind::workdir, StepKind::debian}) {
    if (text == to_string(kind)) return kind;
  }
  throw Error(Category::machine, fmt::format("{}: '{}' is no kind of step", where, printable(text)));
}

}  // namespace

std::string_view to_string(StepKind kind) {
  switch (kind) {
    case StepKind::run:
      return "run";
    case StepKind::copy:
      return "copy";
    case StepKind::workdir:
      return "workdir";
    case StepKind::debian:
      return "debian";
  }
  return "";
}

std::string new_salt() {
  unsigned char raw[16];
  if (RAND_bytes(raw, sizeof raw) != 1) throw Error(Category::machine, "OpenSSL has no random numbers");
  return hex(std::string_view(reinterpret_cast<const char*>(raw), sizeof raw));
}

std::vector<StepInput> salted_inputs(const std::vector<RawInput>& inputs, std::string_view salt) {
  std::vector<StepInput> result;
  result.reserve(inputs.size());
  for (const RawInput& input : inputs) {
    result.push_back({input.name, keyed_digest(salt, input.value),
                      may_keep_value(input) ? std::optional(input.value) : std::nullopt});
  }
  return result;
}

StepInputs::StepInputs(const std::vector<StepInput>& inputs) {
  std::string text;
  text.reserve(inputs.size() * 80);
  for (const StepInput& input : inputs) {
    json item = {input.name, input.digest};
    if (input.value) item.push_back(*input.value);
    text += json_text(item) + "\n";
  }
  text_ = std::make_shared<const std::string>(std::move(text));
}

StepInputs StepInputs::from_text(std::string text) {
  StepInputs inputs;
  inputs.text_ = std::make_shared<const std::string>(std::move(text));
  return inputs;
}

std::vector<StepInput> StepInputs::list() const {
  std::vector<StepInput> inputs;
  std::string_view rest = text();
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const json item = parse_json(line, "step record", Category::machine, {.max_bytes = kMaxHeadBytes});
    const bool is_input = item.is_array() && (item.size() == 2 || item.size() == 3) &&
                          std::all_of(item.begin(), item.end(), [](const json& part) { return part.is_string(); });
    if (!is_input)
      throw Error(Category::machine,
                  fmt::format("step record: '{}' is no input of a step", printable(line.substr(0, 200))));
    inputs.push_back({item[0], item[1], item.size() == 3 ? std::optional(item[2].get<std::string>()) : std::nullopt});
  }
  return inputs;
}

std::string serialise(const StepRecord& record) {
  json layers = json::array();
  for (const LayerValue& layer : record.layers) layers.push_back(to_json(layer));
  json head = {{"version", 2},
               {"kind", to_string(record.kind)},
               {"key", record.key},
               {"text", record.text},
               {"target", record.target},
               {"file", record.file},
               {"line", record.line},
               {"layers", layers},
               {"seconds", record.seconds},
               {"created", record.created},
               {"salt", record.salt}};
  if (record.network) head["network"] = record.network->to_json();
  std::string text = json_text(head) + "\n" + record.inputs.text();
  text += fmt::format("sum {}\n", oci::sha256_of(text).hex());
  return text;
}

namespace {

// What a registry may send is refused as something from the network; a record is not.
LayerValue recorded_layer(const json& layer, std::string_view where) {
  try {
    return layer_value_from_json(layer, where);
  } catch (const Error& error) {
    throw Error(Category::machine, error.message());
  }
}

}  // namespace

StepRecord parse_step_record(std::string_view text, std::string_view key, std::string_view where) {
  const std::size_t head_bytes = std::min(text.find('\n'), text.size());
  const json value = parse_json(text.substr(0, head_bytes), where, Category::machine, {.max_bytes = kMaxHeadBytes});
  const JsonMembers::Refuse refuse = JsonMembers::refusal(where, Category::machine);
  const JsonMembers head(value, refuse);
  if (const int version = head.small_integer("version"); version != 2) {
    throw Error(Category::machine, fmt::format("{}: record version {}, expected 2", where, version));
  }
  if (text.size() < head_bytes + 1 + kSumBytes) throw Error(Category::machine, fmt::format("{} is cut", where));
  const std::string_view summed = text.substr(0, text.size() - kSumBytes);
  if (text.substr(summed.size()) != fmt::format("sum {}\n", oci::sha256_of(summed).hex())) {
    throw Error(Category::machine, fmt::format("{} is damaged: its sum is another one", where));
  }
  StepRecord record;
  record.kind = kind_of(head.string("kind"), where);
  record.key = head.string("key");
  if (record.key != key) {
    throw Error(Category::machine,
                fmt::format("{}: the record is for key {}, expected {}", where, printable(record.key), key));
  }
  record.text = head.string("text");
  record.target = head.string("target");
  record.file = head.string("file");
  record.line = head.small_integer("line");
  head.each("layers", [&](const JsonMembers& layer) { record.layers.push_back(recorded_layer(layer.value(), where)); });
  record.seconds = head.number("seconds");
  record.created = head.string("created");
  record.salt = head.string("salt");
  if (const json* network = head.find("network")) record.network = NetworkRecord::from_json(*network, where);
  record.inputs = StepInputs::from_text(std::string(summed.substr(head_bytes + 1)));
  return record;
}

RawInput entry_input(std::string name, const FileEntry& entry) {
  std::string value = fmt::format("{}{} {:o} {}:{}", entry.content.str(), entry.link, entry.mode, entry.uid, entry.gid);
  if (entry.device_major != 0 || entry.device_minor != 0)
    value += fmt::format(" {}:{}", entry.device_major, entry.device_minor);
  for (const auto& [key, bytes] : entry.xattrs) value += fmt::format(" {}={}:{}", key, bytes.size(), bytes);
  return {std::move(name), std::move(value), false};
}

std::string input_name(InputType type, std::string_view which) {
  const auto named = std::find_if(std::begin(kInputWords), std::end(kInputWords),
                                  [&](const InputWord& known) { return known.type == type; });
  return which.empty() ? std::string(named->word) : fmt::format("{} {}", named->word, which);
}

std::optional<InputType> input_type(std::string_view name) {
  for (const InputWord& known : kInputWords) {
    if (name == known.word || (name.starts_with(known.word) && name[known.word.size()] == ' ')) return known.type;
  }
  return std::nullopt;
}

std::string_view input_word(std::string_view name) {
  for (const InputWord& known : kInputWords) {
    if (input_type(name) == known.type) return known.word;
  }
  return name.substr(0, name.find(' '));
}

std::string_view to_string(InputDifference::Change change) {
  switch (change) {
    case InputDifference::Change::changed:
      return "changed";
    case InputDifference::Change::added:
      return "is new";
    case InputDifference::Change::gone:
      return "is gone";
  }
  return "changed";
}

std::string to_text(const InputDifference& difference) {
  std::string text = printable(difference.name);
  if (!difference.about.empty()) text += fmt::format(" ({})", printable(difference.about));
  text += fmt::format(" {}", to_string(difference.change));
  if (difference.before && difference.after) {
    text += fmt::format(" from '{}' to '{}'", printable(*difference.before), printable(*difference.after));
  }
  return text;
}

std::vector<InputDifference> find_differences(const std::vector<RawInput>& now, const StepRecord& earlier) {
  using Change = InputDifference::Change;
  const std::vector<StepInput> recorded = earlier.inputs.list();
  std::map<std::string_view, const StepInput*> before;
  for (const StepInput& input : recorded) before.emplace(input.name, &input);
  std::vector<InputDifference> differences;
  bool parent_named = false;
  const auto add = [&](InputDifference difference) {
    if (input_type(difference.name) == InputType::parent_layer && std::exchange(parent_named, true)) return;
    differences.push_back(std::move(difference));
  };
  for (const RawInput& input : now) {
    const auto it = before.find(input.name);
    if (it == before.end()) {
      add({input.name, Change::added, {}, {}, input.about});
      continue;
    }
    const StepInput& old = *it->second;
    before.erase(it);
    if (old.digest == keyed_digest(earlier.salt, input.value)) continue;
    InputDifference difference{input.name, Change::changed, {}, {}, input.about};
    if (old.value && may_keep_value(input)) {
      difference.before = old.value;
      difference.after = input.value;
    }
    add(std::move(difference));
  }
  for (const StepInput& input : recorded) {
    if (before.count(input.name)) add({input.name, Change::gone, {}, {}, {}});
  }
  return differences;
}

std::string to_text(const std::vector<InputDifference>& differences) {
  std::vector<std::string> texts;
  for (const InputDifference& difference : differences) {
    if (texts.size() == kMostListedDifferences) {
      texts.push_back(fmt::format("and {} more", differences.size() - kMostListedDifferences));
      break;
    }
    texts.push_back(to_text(difference));
  }
  return join(texts, "; ");
}

}  // namespace kiln
