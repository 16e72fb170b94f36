#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/credentials.hpp"
#include "base/secret_values.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/check_context.hpp"
#include "builder/dockerfile/check_suggestion.hpp"
#include "builder/dockerfile/mount.hpp"

// Rules about variables inside of stages. A stage is walked as an evaluator would walk it.
namespace kiln::dockerfile {
namespace {

const std::string kDefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Word {
  std::string_view text;
  Quotes quotes = Quotes::process;
};

void add(std::vector<Word>& out, const std::vector<std::string>& words) {
  for (const std::string& word : words) out.push_back({word});
}

void add_transfer(std::vector<Word>& out, const Transfer& transfer) {
  add(out, transfer.paths);
  out.push_back({transfer.destination});
  out.push_back({transfer.chown});
  out.push_back({transfer.chmod});
  for (const InlineFile& file : transfer.files) {
    if (file.expand) out.push_back({file.content, Quotes::literal});
  }
}

// What docker expands in an instruction (ARG apart, whose defaults count only where no value is given).
std::vector<Word> expanded_words(const InstructionBody& body) {
  std::vector<Word> out;
  if (const auto* copy = std::get_if<Copy>(&body)) add_transfer(out, *copy);
  if (const auto* source = std::get_if<Add>(&body)) {
    add_transfer(out, *source);
    out.push_back({source->checksum});
  }
  const std::vector<KeyValue>* pairs = nullptr;
  if (const auto* env = std::get_if<Env>(&body)) pairs = &env->pairs;
  if (const auto* label = std::get_if<Label>(&body)) pairs = &label->pairs;
  for (std::size_t i = 0; pairs && i < pairs->size(); ++i) {
    out.push_back({(*pairs)[i].key});
    out.push_back({(*pairs)[i].value});
  }
  if (const auto* volume = std::get_if<Volume>(&body)) add(out, volume->paths);
  if (const auto* run = std::get_if<Run>(&body)) {
    for (const WrittenMount& mount : run->mounts) out.push_back({mount.text, Quotes::literal});
  }
  if (const auto* user = std::get_if<User>(&body)) out.push_back({user->user});
  if (const auto* workdir = std::get_if<Workdir>(&body)) out.push_back({workdir->path});
  if (const auto* signal = std::get_if<Stopsignal>(&body)) out.push_back({signal->signal});
  return out;
}

// "PUBLIC_KEY", "PASSWORD_FILE": a part of the name says that it is none.
bool denies_a_secret(std::string_view name) {
  const std::string lower = to_lower(name);
  const auto parts = split(lower, '_');
  return std::find(parts.begin(), parts.end(), "public") != parts.end() || parts.back() == "file" ||
         parts.back() == "version";
}

// APIKEY, AUTH, KEY, PASSWORD ... as a part of a name, as BuildKit's rule has it.
bool names_a_secret(std::string_view name) {
  static const std::set<std::string, std::less<>> secret = {"apikey",   "auth",  "credential", "credentials", "key",
                                                            "password", "pword", "passwd",     "secret",      "token"};
  const std::string lower = to_lower(name);
  const auto parts = split(lower, '_');
  return std::any_of(parts.begin(), parts.end(), [](std::string_view part) { return secret.count(part) != 0; });
}

bool is_command_of_config(const InstructionBody& body) {
  return std::holds_alternative<Cmd>(body) || std::holds_alternative<Entrypoint>(body) ||
         std::holds_alternative<Healthcheck>(body);
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

class StageWalk {
 public:
  // What a stage starts with and hands on to the stages that are built on it.
  struct State {
    StageScope scope;
    bool knows_environment = true;
    bool has_workdir = false;
  };

  StageWalk(CheckContext& context, State start) : context_(context), state_(std::move(start)) {}

  void step(const Instruction& instruction) {
    try {
      if (const auto* arg = std::get_if<Arg>(&instruction.body)) {
        for (const ArgDefinition& definition : arg->definitions) {
          secret("ARG", definition.name, instruction);
          declare(instruction, definition);
          const auto& declared = state_.scope.declared_args();
          if (!declared.empty() && declared.back().value)
            password("ARG", definition.name, *declared.back().value, instruction);
        }
        return;
      }
      const bool sets_values =
          std::holds_alternative<Env>(instruction.body) || std::holds_alternative<Label>(instruction.body);
      for (const Word& word : expanded_words(instruction.body)) {
        look(instruction,
             sets_values ? state_.scope.expand_value(word.text) : state_.scope.expand(word.text, word.quotes));
      }
      if (const auto* env = std::get_if<Env>(&instruction.body)) set(instruction, *env);
      if (const auto* label = std::get_if<Label>(&instruction.body)) {
        for (const KeyValue& pair : label->pairs)
          password("LABEL", value_of(pair.key), value_of(pair.value), instruction);
      }
      if (is_command_of_config(instruction.body)) password(instruction.keyword, "", instruction.original, instruction);
      if (const auto* expose = std::get_if<Expose>(&instruction.body)) ports(instruction, *expose);
      if (const auto* run = std::get_if<Run>(&instruction.body)) {
        for (const WrittenMount& mount : run->mounts) {
          expand_mount(mount, [&](std::string_view word) { return state_.scope.expand(word).text; });
        }
      }
      if (const auto* workdir = std::get_if<Workdir>(&instruction.body)) enter(instruction, *workdir);
    } catch (const Error& error) {
      context_.fail(error, instruction.lines);
    }
  }

  const State& state() const { return state_; }

 private:
  std::string value_of(std::string_view text) const { return state_.scope.expand_value(text).text; }

  void declare(const Instruction& instruction, const ArgDefinition& definition) {
    const bool given = context_.options().build_args.count(definition.name) != 0;
    if (!given && definition.default_value) look(instruction, state_.scope.expand_value(*definition.default_value));
    state_.scope.declare(Arg{{definition}});
  }

  void set(const Instruction& instruction, const Env& env) {
    std::vector<std::pair<std::string, std::string>> values;  // all of them see what stood before the instruction
    for (const KeyValue& pair : env.pairs) values.emplace_back(value_of(pair.key), value_of(pair.value));
    for (const auto& [key, value] : values) {
      secret("ENV", key, instruction);
      password("ENV", key, value, instruction);
      state_.scope.set_env(key, value);
    }
  }

  void enter(const Instruction& instruction, const Workdir& workdir) {
    const std::string path = state_.scope.expand(workdir.path).text;
    if (!state_.has_workdir && (path.empty() || path[0] != '/')) {
      context_.report(
          "WorkdirRelativePath",
          fmt::format("Relative workdir {} can have unexpected results if the base image changes", quoted(path)),
          instruction);
    }
    state_.has_workdir = true;
  }

  void look(const Instruction& instruction, const Expansion& expansion) {
    if (!state_.knows_environment) return;
    std::vector<std::string> names;
    for (const auto& [name, value] : state_.scope.environment()) names.push_back(name);
    for (const std::string& name : expansion.unset) {
      if (state_.scope.is_declared(name) || name == "BUILDKIT_SBOM_SCAN_CONTEXT" ||
          name == "BUILDKIT_SBOM_SCAN_STAGE") {
        continue;
      }
      context_.report("UndefinedVar",
                      fmt::format("Usage of undefined variable '${}'{}", name, did_you_mean(name, names, "$")),
                      instruction);
    }
  }

  void secret(std::string_view keyword, const std::string& name, const Instruction& instruction) {
    if (denies_a_secret(name)) return;
    if (names_a_secret(name)) {
      context_.report("SecretsUsedInArgOrEnv",
                      fmt::format("Do not use ARG or ENV instructions for sensitive data ({} \"{}\")", keyword, name),
                      instruction);
    } else if (looks_like_secret(name)) {
      context_.report("SecretLikeName",
                      fmt::format("The image will hold what has a name like a secret's ({} {})", keyword, quoted(name)),
                      instruction);
    }
  }

  // ADD, COPY and RUN are written into the history without it.
  void password(std::string_view keyword, const std::string& name, const std::string& value,
                const Instruction& instruction) {
    if (without_url_credentials(value) == value) return;
    context_.report("PasswordInUrl",
                    fmt::format("The image will hold a URL with a user or password ({}{})", keyword,
                                name.empty() ? "" : " " + quoted(name)),
                    instruction);
  }

  void ports(const Instruction& instruction, const Expose& expose) {
    for (const std::string& written : expose.ports) {
      for (const std::string& port : state_.scope.expand(written).words) {
        const auto slash = port.find('/');
        if (slash != std::string::npos && to_lower(port.substr(slash)) != port.substr(slash)) {
          context_.report("ExposeProtoCasing",
                          fmt::format("Defined protocol '{}' in EXPOSE instruction should be lowercase", port),
                          instruction);
        }
        if (port.substr(0, slash).find(':') != std::string::npos) {
          context_.report(
              "ExposeInvalidFormat",
              fmt::format("EXPOSE instruction should not define an IP address or host-port mapping, found '{}'", port),
              instruction);
        }
      }
    }
  }

  CheckContext& context_;
  State state_;
};

}  // namespace

void check_variables(CheckContext& context) {
  std::map<const StageView*, StageWalk> ended;
  const auto start_of = [&](const StageView& view) -> StageWalk::State {
    if (view.parent) return ended.at(view.parent).state();
    std::vector<std::string> environment{kDefaultPath};
    bool known = true;
    if (view.base != "scratch" && context.options().base_environment) {
      const auto found = context.options().base_environment(view.base);
      known = found.has_value();
      environment = found.value_or(std::vector<std::string>{});
    }
    return {StageScope(context.global(), environment), known, false};
  };
  for (const StageView& view : context.stages()) {
    StageWalk& walk = ended.try_emplace(&view, context, start_of(view)).first->second;
    for (const Instruction& instruction : view.stage->instructions) walk.step(instruction);
  }
}

}  // namespace kiln::dockerfile
