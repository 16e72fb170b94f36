#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret_values.hpp"
#include "builder/dockerfile/ast.hpp"
#include "builder/dockerfile/expansion.hpp"

// Which variable has which value where: docker's scoping of ARG and ENV, so that an evaluator only has to
// walk.
namespace kiln::dockerfile {

using BuildArgs = std::map<std::string, std::string, std::less<>>;

// One platform in the parts that the predefined ARGs carry.
struct PlatformParts {
  std::string os;            // "linux"
  std::string architecture;  // "arm"
  std::string variant;       // "v7" or empty

  std::string text() const;  // "linux/arm/v7"
};

// Whether a name is HTTP_PROXY or one of its relatives, in either case.
bool is_proxy_arg(std::string_view name);

// HTTP_PROXY and its relatives among the build args, in either case there, each in upper and in lower case: they reach
// RUN without being declared, are in no history and in no cache key.
std::vector<std::pair<std::string, std::string>> proxy_environment(const BuildArgs& build_args);

// ARGs above the first FROM, together with the predefined platform ARGs (BUILDPLATFORM, BUILDOS, BUILDARCH,
// BUILDVARIANT, TARGET*, TARGETSTAGE). They serve FROM lines, and an ARG of a stage that has no default.
class GlobalScope {
 public:
  // `target_stage` is what --target said, empty for the last stage.
  GlobalScope(BuildArgs build_args, const PlatformParts& build, const PlatformParts& target, std::string target_stage,
              char escape = '\\');

  // From now on `secrets` are told which of the build args look like secrets, and what is made of them; before, a set
  // of its own.
  void tell(SecretValues secrets);

  // The ARGs of a Dockerfile that stand above its first FROM, in order.
  void declare(const Arg& arg);

  std::optional<std::string> find(std::string_view name) const;
  // Expands a word of FROM.
  Expansion expand(std::string_view word) const;
  const BuildArgs& build_args() const noexcept { return build_args_; }
  char escape() const noexcept { return escape_; }
  const SecretValues& secrets() const noexcept { return secrets_; }
  // Every name that is set, for suggestions.
  std::vector<std::string> names() const;

 private:
  BuildArgs build_args_;
  std::map<std::string, std::string, std::less<>> values_;
  char escape_;
  SecretValues secrets_;
};

// What an ARG instruction of a stage came to.
struct DeclaredArg {
  std::string name;
  std::optional<std::string> value;
};

// The variables of one stage at the point the evaluator has reached. A value type: a stage FROM another stage
// starts with a copy of that stage's scope as it ended (its ARGs included) under the environment of its image, one
// FROM an image with the image's environment.
class StageScope {
 public:
  // `image_environment` are the "K=V" entries of the base image's config. `global` must outlive the scope.
  StageScope(const GlobalScope& global, const std::vector<std::string>& image_environment);

  // ARG: the build arg, else the default (expanded here), else the global value, else unset. A value shadows
  // an ENV of the same name that stands above; an unset one changes nothing.
  void declare(const Arg& arg);
  // Sets every "K=V" of an image's environment, whatever ARG or ENV said before.
  void set_environment(const std::vector<std::string>& environment);
  // ENV, with key and value already expanded.
  void set_env(std::string_view key, std::string_view value);

  std::optional<std::string> find(std::string_view name) const;
  // Expands one word of an instruction at this point of the stage.
  Expansion expand(std::string_view word, Quotes quotes = Quotes::process) const;
  // Expands what a variable or a label is set to: no message repeats a part of it.
  Expansion expand_value(std::string_view value) const;

  // What RUN sees: image environment, ENV and ARG, each name once, in order of first appearance.
  const std::vector<std::pair<std::string, std::string>>& environment() const noexcept { return variables_; }
  // The ARGs declared so far in this stage and the stages it is built on, in order, for RUN's history line.
  const std::vector<DeclaredArg>& declared_args() const noexcept { return declared_; }
  // Names in `unset` of an expansion that no ARG of this stage declared.
  bool is_declared(std::string_view name) const;

 private:
  // Error{usage} where all of them would be larger than an image's config may be.
  void set(std::string_view key, std::string_view value);

  const GlobalScope* global_;
  std::size_t bytes_ = 0;  // of all values
  std::vector<std::pair<std::string, std::string>> variables_;
  std::vector<DeclaredArg> declared_;
};

// Replaces `key` in a config's "K=V" list where it stands, or appends it.
void set_environment_entry(std::vector<std::string>& environment, std::string_view key, std::string_view value);

}  // namespace kiln::dockerfile
