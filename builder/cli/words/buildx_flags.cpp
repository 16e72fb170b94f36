#include "builder/cli/words/buildx_flags.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake/entries.hpp"
#include "builder/definitions/hcl/convert.hpp"

namespace kiln::cli {

namespace {

struct RefusedFlag {
  const char* names;
  const char* reason;
  bool takes_value = true;
};

constexpr char kNoLimits[] =
    "RUN has no limits of its own; run kiln in a scope that has them: systemd-run --scope -p MemoryMax=8G -p "
    "CPUQuota=200% kiln build ...";

constexpr char kNoPolicies[] = "kiln evaluates no source policies; pin base images by digest";

constexpr RefusedFlag kRefused[] = {
    {"--builder", "kiln has no daemons to choose from; KILN_HOME chooses the store"},
    {"--cgroup-parent", "containers are kiln's own and live as long as a RUN; run kiln itself in the group"},
    {"--compress", "no context is sent anywhere; leave the flag out", false},
    {"--cpu-period", kNoLimits},
    {"--resource", kNoLimits},
    {"--cpu-quota", kNoLimits},
    {"-c,--cpu-shares", kNoLimits},
    {"--cpuset-cpus", kNoLimits},
    {"--cpuset-mems", kNoLimits},
    {"-D,--debug", "there is no daemon whose log it would show; use --progress plain", false},
    {"--isolation", "RUN is always a Linux container; leave the flag out"},
    {"-m,--memory", kNoLimits},
    {"--memory-swap", kNoLimits},
    {"--policy", kNoPolicies},
    {"--security-opt", "say RUN --security=insecure in the Dockerfile and pass --allow security.insecure"},
    {"--squash", "layers are kept apart so that they can be shared; copy the result into a last stage FROM scratch",
     false},
};

// What docker asks for before a bake file may name folders and agents outside of its own; kiln runs as who starts it.
bool needs_no_permission(std::string_view entitlement) {
  const std::string_view kind = entitlement.substr(0, entitlement.find('='));
  return entitlement == "network.host" || kind == "ssh" || kind == "fs" || kind == "fs.read" || kind == "fs.write";
}

Arguments& add_common_flags(Arguments& command, BuildxWords& words, const char* what_needs) {
  return command
      .option("--allow", words.allow,
              fmt::format("security.insecure: RUN --security=insecure may be used; {} no permission", what_needs))
      .option("--call", words.call, "build (default) or check")
      .option("--attest", words.attestations, "type=sbom|provenance,...: what is said of the image beside it")
      .option("--attest-as", words.attached_as,
              "referrers (default): artifacts that refer to the image; index: an index in its place")
      .option("--provenance", words.provenance, "true, false, mode=min or mode=max: how the image was made")
      .option("--sbom", words.sbom, "true or false: which packages are in the image");
}

// NAME[,format=FORMAT][,ignorestatus=BOOL]: the name.
std::string call_name(const std::string& call) {
  std::string name;
  for (const std::string_view field : split(call, ',')) {
    const std::string_view key = field.substr(0, field.find('='));
    if (key == field && name.empty()) {
      name = field;
    } else if (key == field || (key != "format" && key != "ignorestatus")) {
      throw Error(
          Category::usage,
          fmt::format("--call '{}': expected NAME, with format=... or ignorestatus=... behind it", printable(call)));
    }
  }
  return name == "check" ? "lint" : name;
}

// Whether all that is said of policies is that there are none. Error{usage} for what is nothing to say of them here.
bool disables_policies(const std::vector<std::string>& policies) {
  bool is_disabled = false;
  for (const std::string& text : policies) {
    std::vector<hcl::Value> entries;
    try {
      entries = bake::entries_of_text(bake::EntryKind::policy, text);
    } catch (const hcl::ValueError& error) {
      throw Error(Category::usage, fmt::format("--policy '{}': {}", printable(text), error.what()));
    }
    const hcl::Value::Members& said = entries.front().members();
    for (const char* key : {"filename", "reset"}) {
      if (said.contains(key)) {
        throw Error(Category::usage,
                    fmt::format("--policy '{}': '{}' is said in the bake file, by 'policy'", printable(text), key));
      }
    }
    if (!said.contains("disabled")) continue;
    is_disabled = true;
    if (said.size() > 1 || policies.size() > 1) {
      throw Error(Category::usage, fmt::format("--policy '{}': 'disabled' goes with nothing else", printable(text)));
    }
  }
  return is_disabled;
}

}  // namespace

void add_buildx_bake_flags(Arguments& bake, BuildxWords& words) {
  add_common_flags(bake, words, "network.host, ssh and fs need");
  for (const RefusedFlag& flag : kRefused) {
    const std::string_view names = flag.names;
    if (names == "--builder" || names == "-D,--debug") bake.refused(flag.names, flag.reason, flag.takes_value);
  }
  bake.option("--policy", words.policies, "disabled=true: no source policy is evaluated, as always");
  bake.refused("-j,--jobs", "as many steps run at once as this machine has cores; run kiln in a scope with fewer");
}

bool BuildxWords::allows_insecure() const {
  return std::find(allow.begin(), allow.end(), "security.insecure") != allow.end();
}

std::vector<std::string> BuildxWords::attestation_words() const {
  std::vector<std::string> words = attestations;
  for (std::string word : {attestation_word("sbom", sbom), attestation_word("provenance", provenance)}) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  return words;
}

std::optional<AttachedAs> BuildxWords::attach_as() const {
  return attached_as.empty() ? std::nullopt : std::optional(parse_attached_as(attached_as, "--attest-as"));
}

bool has_default_provenance() {
  constexpr const char* kVariable = "BUILDX_NO_DEFAULT_ATTESTATIONS";
  const std::string value = environment_variable(kVariable).value_or("");
  const auto is_off = value.empty() ? std::optional(false) : bake::flag_of_text(value);
  if (is_off) return !*is_off;
  throw Error(Category::usage, fmt::format("{} '{}': expected true or false", kVariable, printable(value)));
}

std::vector<std::string> BuildxWords::words_of_set() const {
  std::vector<std::string> set;
  const std::string called = wants_check() ? "lint" : call_name(call);
  if (!called.empty() && called != "build") set.push_back(fmt::format("*.call={}", called));
  for (const std::string& word : attestation_words()) set.push_back(fmt::format("*.attest={}", word));
  const bool is_disabled = disables_policies(policies);
  for (const std::string& policy : policies)
    set.push_back(fmt::format("*.policy{}={}", is_disabled ? "" : "+", policy));
  return set;
}

void add_buildx_flags(Arguments& build, BuildxWords& words) {
  add_common_flags(build, words, "network.host needs")
      .flag("--rm,--force-rm", words.remove, "containers are removed after each RUN, as always");
  for (const RefusedFlag& flag : kRefused) build.refused(flag.names, flag.reason, flag.takes_value);
}

void check_allowed(const BuildxWords& words) {
  for (const std::string& entitlement : words.allow) {
    if (entitlement == "security.insecure" || needs_no_permission(entitlement)) continue;
    throw Error(Category::usage,
                fmt::format("--allow '{}': expected security.insecure or network.host{}", printable(entitlement),
                            entitlement.starts_with("device") ? "; RUN --device cannot be had" : ""));
  }
}

void check_buildx_words(const BuildxWords& words) {
  parse_attestations(words.attestation_words(), "--attest");
  words.attach_as();
  check_allowed(words);
  if (!words.policies.empty() && !disables_policies(words.policies)) {
    throw Error(Category::usage, fmt::format("--policy '{}': {}", printable(words.policies.front()), kNoPolicies));
  }
  if (words.call.empty() || words.call == "build" || words.wants_check()) return;
  throw Error(
      Category::usage,
      fmt::format("--call '{}': expected build or check; 'kiln build --print-ast' shows stages and arguments as JSON",
                  printable(words.call)));
}

}  // namespace kiln::cli
