#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/file_kind.hpp"
#include "base/json.hpp"
#include "base/output_file.hpp"
#include "base/text.hpp"
#include "builder/build/build.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/cli/commands/check_dockerfile.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/commands/failure_shell.hpp"
#include "builder/cli/output/metadata.hpp"
#include "builder/cli/output/print_input.hpp"
#include "builder/cli/output/print_report.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/build_context.hpp"
#include "builder/cli/words/build_surroundings.hpp"
#include "builder/cli/words/buildx_flags.hpp"
#include "builder/cli/words/dockerfile_input.hpp"
#include "builder/cli/words/fleet_policy.hpp"
#include "builder/cli/words/looked_at.hpp"
#include "builder/cli/words/machine_settings.hpp"
#include "builder/cli/words/network_log.hpp"
#include "builder/cli/words/output_files.hpp"
#include "builder/cli/words/signing_keys.hpp"
#include "builder/cli/words/trace_output.hpp"
#include "builder/cli/words/words.hpp"
#include "builder/definitions/run_limit.hpp"
#include "builder/definitions/target_words.hpp"
#include "builder/report/report_store.hpp"
#include "builder/steps/fetched_source.hpp"
#include "builder/steps/git_source.hpp"

namespace kiln::cli {

namespace {

// The words of `kiln build`, as docker buildx build has them.
struct BuildWords {
  std::string context;
  std::optional<std::string> file;
  std::vector<std::string> tags;
  std::string target;
  std::vector<std::string> build_args;
  std::vector<std::string> build_contexts;
  std::vector<std::string> secrets;
  std::vector<std::string> ssh;
  std::vector<std::string> labels;
  std::vector<std::string> annotations;
  std::vector<std::string> platforms;
  std::string network;
  NetworkLogWords network_log;
  std::string ca_bundle;
  std::string security;
  std::string layers;
  bool no_cache = false;
  std::vector<std::string> no_cache_filter;
  bool pull = false;
  bool offline = false;
  bool push = false;
  std::optional<std::string> sign_key;
  std::optional<std::string> fleet_policy;
  std::vector<std::string> outputs;
  std::optional<std::string> iidfile;
  std::optional<std::string> metadata_file;
  std::optional<std::string> progress;
  std::optional<std::string> trace;
  std::optional<std::string> report;
  bool quiet = false;
  std::vector<std::string> add_hosts;
  std::vector<std::string> ulimits;
  std::vector<std::string> cache_from;
  std::vector<std::string> cache_to;
  std::string shm_size;
  bool load = false;
  std::string on_error;
  BuildxWords buildx;
  bool check = false;
  bool print_ast = false;
  bool print_ignored = false;
};

using NamedContexts = std::map<std::string, NamedContext>;

std::vector<SecretSource> secrets_of(const BuildWords& words) {
  std::vector<SecretSource> secrets;
  for (const std::string& secret : words.secrets) secrets.push_back(parse_secret(secret));
  return secrets;
}

NamedContexts open_named_contexts(const BuildWords& words, const CancelToken& cancel) {
  NamedContexts contexts;
  const SourceSecrets secrets(secrets_of(words));
  for (const auto& [name, value] : parse_pairs(words.build_contexts, "--build-context")) {
    contexts.emplace(name,
                     open_named_context(name, value, words.offline ? MayFetch::no : MayFetch::yes, secrets, cancel));
  }
  return contexts;
}

void set_run_surroundings(const BuildWords& words, TargetSpec& target) {
  target.network = parse_network(words.network);
  for (const std::string& text : words.secrets) {
    const SecretSource secret = located(parse_secret(text));
    const auto is_it = [&](const SecretSource& other) { return other.id == secret.id; };
    if (std::any_of(target.secrets.begin(), target.secrets.end(), is_it))
      throw Error(Category::usage, fmt::format("--secret '{}' is given twice", printable(secret.id)));
    target.secrets.push_back(secret);
    if (secret.file && !fs::exists(*secret.file))
      throw Error(Category::usage,
                  fmt::format("--secret '{}': there is no file '{}'", secret.id, secret.file->native()));
  }
  for (const std::string& text : words.ssh) {
    const SshForward ssh = parse_ssh(text);
    const auto is_it = [&](const SshForward& other) { return other.id == ssh.id; };
    if (std::any_of(target.ssh.begin(), target.ssh.end(), is_it))
      throw Error(Category::usage, fmt::format("--ssh '{}' is given twice", printable(ssh.id)));
    for (const fs::path& path : ssh.paths) {
      if (!fs::exists(path))
        throw Error(Category::usage,
                    fmt::format("--ssh '{}': there is no file '{}'", printable(ssh.id), printable(path.native())));
    }
    target.ssh.push_back(ssh);
  }
  for (const std::string& host : words.add_hosts) target.extra_hosts.push_back(parse_host(host));
  for (const std::string& limit : words.ulimits) parse_ulimit(limit);
  target.ulimits = words.ulimits;
  if (!words.shm_size.empty()) parse_size(words.shm_size, "--shm-size");
  target.shm_size = words.shm_size;
}

void note_fetched(const std::string& name, const std::string& context, const std::string& digest, TargetSpec& target) {
  if (!is_folder(context) && (is_http_url(context) || parse_git_reference(context)))
    target.fetched_from.push_back({name, without_user(context), digest});
}

TargetSpec make_target(const BuildWords& words, const BuildContext& context, const NamedContexts& named) {
  TargetSpec target;
  target.context = context.folder;
  target.dockerfile_text = context.dockerfile.text;
  target.dockerfile_name = context.dockerfile.name;
  target.ignore_text = context.dockerfile.ignore_text;
  target.ignore_name = context.dockerfile.ignore_name;
  target.stage = words.target;
  target.args = parse_build_args(words.build_args);
  for (const auto& [name, found] : named) target.contexts[name] = found.value;
  target.labels = parse_labels(words.labels);
  if (!words.layers.empty()) target.layers = parse_layer_rules(words.layers);
  target.no_cache = words.no_cache;
  for (const std::string& filter : words.no_cache_filter) {
    for (const std::string_view stage : split(filter, ',')) target.no_cache_stages.emplace_back(stage);
  }
  target.platforms = wanted_platforms(words.platforms);
  target.tags = words.tags;
  target.outputs = words.outputs;
  target.annotations = words.annotations;
  target.attestations = words.buildx.attestation_words();
  target.cache_from = words.cache_from;
  target.cache_to = words.cache_to;
  set_run_surroundings(words, target);
  note_fetched("", words.context, context.digest, target);
  for (const auto& [name, value] : parse_pairs(words.build_contexts, "--build-context"))
    note_fetched(name, value, named.at(name).digest, target);
  return target;
}

// Where a fleet.json is looked for whose policy is heeded: here, and where an image of definitions has it.
std::vector<fs::path> policy_folders(const BuildWords& words) {
  std::vector<fs::path> folders = {fs::current_path()};
  const fs::path dockerfile =
      words.file && *words.file != "-" ? fs::path(*words.file) : fs::path(words.context) / "Dockerfile";
  const fs::path folder = fs::absolute(dockerfile).lexically_normal().parent_path();
  if (fs::exists(folder / "image.json")) folders.push_back(folder.parent_path());
  return folders;
}

// A fleet of one.
BuildRequest make_request(const BuildWords& words, TargetSpec target, Log& log, const CancelToken& cancel) {
  BuildRequest request;
  request.fleet.front_end = FrontEnd::flags;
  request.fleet.settings.tag_templates.clear();
  request.targets = {target.name};
  request.fleet.targets.push_back(std::move(target));
  request.settings = fleet_build_settings(request.fleet, words.ca_bundle);
  request.settings.caches = fleet_cache_settings(request.fleet, all_targets(request.fleet), {}, log);
  request.settings.bases.pull = words.pull;
  request.settings.bases.use_cache = !words.no_cache;
  request.settings.runs.allow_insecure = words.buildx.allows_insecure();
  words.network_log.apply_to(request, log);
  request.settings.runs.keep_failed = !words.on_error.empty();
  request.settings.security = parse_security(words.security);
  request.settings.offline = words.offline;
  request.settings.store_bound = read_machine_settings().store;
  apply_offline(request.settings, log);
  request.delivery.push = words.push;
  request.delivery.signing = push_signing(words.sign_key, cancel);
  request.fleet.settings.policy = find_fleet_policy(words.fleet_policy, policy_folders(words), log).rules;
  request.delivery.load = words.load;
  request.delivery.attach_as = words.buildx.attach_as();
  request.delivery.default_provenance = has_default_provenance();
  return request;
}

// How containers end is true of a build that is none, too.
const Look kCheck = {"--check",
                     {"--call", "--file", "--build-arg", "--platform", "--target", "--secret", "--allow", "--rm",
                      "--progress", "--offline"}};
const Look kPrintAst = {"--print-ast", {"--file", "--progress", "--offline"}};
const Look kPrintIgnored = {"--print-ignored", {"--file", "--progress", "--offline"}};

void refuse_several_looks(const BuildWords& words) {
  const bool checks = words.check || words.buildx.wants_check();
  if (words.check && words.buildx.call == "build")
    throw Error(Category::usage, "--check and --call=build exclude one another");
  if (checks + words.print_ast + words.print_ignored > 1)
    throw Error(Category::usage, "--check, --print-ast and --print-ignored exclude one another");
}

// --check, --print-ast and --print-ignored look at the input only; nullopt where none of them was given.
std::optional<int> look_at_input(const BuildWords& words, const std::vector<std::string>& given,
                                 const CancelToken& cancel) {
  refuse_several_looks(words);
  StderrLog log;
  if (words.print_ast) {
    warn_of_unheeded_flags(kPrintAst, given, log);
    // The word without dashes is the Dockerfile itself, or a context as in a build.
    const bool is_file = !words.file && !is_folder(words.context);
    print_ast(is_file ? read_dockerfile_input(words.context, ".") : read_dockerfile_input(words.file, words.context));
    return 0;
  }
  if (words.print_ignored) {
    warn_of_unheeded_flags(kPrintIgnored, given, log);
    const auto ignore = find_ignore_file(words.file, words.context);
    print_ignored(words.context,
                  ignore ? dockerfile::read_ignore_rules(ignore->text, ignore->name) : dockerfile::IgnoreMatcher());
    return 0;
  }
  if (!words.check && !words.buildx.wants_check()) return std::nullopt;
  warn_of_unheeded_flags(kCheck, given, log);
  CheckWords check;
  check.build_args = words.build_args;
  check.platforms = words.platforms;
  check.target = words.target;
  return check_dockerfile(
      open_build_context(words.context, words.file,
                         context_access(parse_build_args(words.build_args), secrets_of(words)), cancel)
          .dockerfile,
      check);
}

// --iidfile, --metadata-file and what --quiet prints.
void print_result(const BuildWords& words, const BuiltTarget& built) {
  const bool is_index = built.images.size() > 1;
  const oci::Digest id = is_index ? built.root.digest : built.images[0].image.config.digest;
  if (words.iidfile) write_output_file(*words.iidfile, id.str());
  if (words.metadata_file)
    write_output_file(*words.metadata_file, json_text(target_metadata(built), JsonLayout::indented) + "\n");
  if (words.quiet) fmt::print("{}\n", id.str());
}

// What would else be found wrong after the build, or never.
void check_words(const BuildWords& words) {
  if (words.quiet && words.progress && *words.progress != "auto" && *words.progress != "quiet") {
    throw Error(Category::usage,
                fmt::format("--quiet and --progress {} exclude one another", printable(*words.progress)));
  }
  parse_network(words.network);
  refuse_unwritable(words.iidfile, "--iidfile");
  refuse_unwritable(words.metadata_file, "--metadata-file");
  refuse_unwritable(words.report, "--report");
}

int run_build(const BuildWords& words, const std::vector<std::string>& given, const CancelToken& cancel) {
  check_buildx_words(words.buildx);
  if (const auto exit_code = look_at_input(words, given, cancel)) return *exit_code;
  check_words(words);
  const bool opens_shell = wants_failure_shell(words.on_error);
  if (words.offline && !fs::exists(words.context) &&
      (is_http_url(words.context) || parse_git_reference(words.context))) {
    throw Error(Category::network, "--offline: the build context is a URL, and nothing is fetched");
  }
  const BuildContext context = open_build_context(
      words.context, words.file, context_access(parse_build_args(words.build_args), secrets_of(words)), cancel);
  const NamedContexts named = open_named_contexts(words, cancel);
  StderrLog log;
  warn_of_args_without_value(words.build_args, log);
  TraceOutput trace(words.trace, "kiln build", words.offline);
  const BuildRequest request = make_request(words, make_target(words, context, named), log, cancel);
  BuildSurroundings surroundings = surroundings_of({words.progress, words.quiet}, cancel);
  if (opens_shell) surroundings.on_failed_run = open_failure_shell;
  trace.listen(surroundings);
  const BuildResult result = traced(trace, [&] { return build(request, surroundings); });
  if (words.report) write_report(*words.report, result.report);
  print_result(words, result.targets.front());
  return 0;
}

}  // namespace

void add_build_command(Arguments& root) {
  const auto words = std::make_shared<BuildWords>();
  Arguments& build = root.command("build", "Build an image from a Dockerfile.");
  add_buildx_flags(build, words->buildx);
  add_fleet_policy_word(build, words->fleet_policy);
  words->network_log.add_to(build);
  build
      .required_positional("CONTEXT", words->context,
                           "folder, tar file, git repository, URL of a tar or a Dockerfile, or '-' for a tar or "
                           "Dockerfile on standard input")
      .option("-f,--file", words->file, "Dockerfile ('-': standard input; default CONTEXT/Dockerfile)")
      .option("-t,--tag", words->tags, "name of the image, NAME[:TAG]")
      .option("--target", words->target, "stage to build")
      .option("--build-arg", words->build_args, "NAME=VALUE of an ARG")
      .option("--build-context", words->build_contexts,
              "NAME=FOLDER|docker-image://REF|oci-layout://FOLDER|git repository|URL of a file")
      .option("--secret", words->secrets, "id=ID[,src=FILE|,env=NAME] for RUN --mount=type=secret")
      .option("--ssh", words->ssh, "default|ID for RUN --mount=type=ssh")
      .option("--label", words->labels, "NAME=VALUE set in the image")
      .option("--annotation", words->annotations,
              "[PLACE:]NAME=VALUE set in the manifest, or index, manifest-descriptor, index-descriptor")
      .option("--platform", words->platforms, "platforms to build for, such as linux/amd64,linux/arm64")
      .option("--network", words->network,
              "network of RUN: host (default), none, or recorded: nothing but a recording proxy")
      .option("--ca-bundle", words->ca_bundle, "certificate authorities that RUN trusts: FILE, host or none")
      .option("--layers", words->layers,
              "of a RUN: one for each step (default), or package: cut along what it installed")
      .option("--security", words->security, "of RUN: sandbox (default), or hardened: no program gains privileges")
      .flag("--no-cache", words->no_cache, "execute every step")
      .option("--no-cache-filter", words->no_cache_filter, "execute every step of these stages")
      .flag("--offline", words->offline,
            "fetch nothing: build from the store, and remember what --push would have sent")
      .flag("--pull", words->pull, "ask registries for newer base images")
      .flag("--push", words->push, "push the image to its registries")
      .option("--sign-key", words->sign_key, kSignKeyHelp)
      .option("-o,--output", words->outputs, "type=image|registry|oci|docker|local|tar|cacheonly,dest=...,...")
      .option("--iidfile", words->iidfile, "write the image ID to this file")
      .option("--metadata-file", words->metadata_file, "write what was built to this file, as JSON")
      .option("--progress", words->progress, "auto, tty, plain, verbose, quiet or rawjson")
      .option("--report", words->report, "write the report of the build to this file, as JSON")
      .option("--trace", words->trace, "write an OpenTelemetry trace of the build to this file, or send it to this URL")
      .flag("-q,--quiet", words->quiet, "print the image ID only")
      .option("--add-host", words->add_hosts, "NAME:ADDRESS in RUN's /etc/hosts")
      .option("--ulimit", words->ulimits, "NAME=SOFT[:HARD] for RUN")
      .option("--cache-from", words->cache_from,
              "type=local,src=FOLDER | type=http,url=URL | type=registry,ref=REF: a cache to look in")
      .option("--cache-to", words->cache_to, "the same with dest=FOLDER: a cache to write to, mode=min|max|read")
      .option("--shm-size", words->shm_size, "size of RUN's /dev/shm")
      .option("--on-error", words->on_error, "shell: open one in the root file system of the RUN that failed")
      .flag("--check", words->check, "look for mistakes and build nothing, as 'kiln check'")
      .flag("--print-ast", words->print_ast, "print the parse of the Dockerfile CONTEXT as JSON, and build nothing")
      .flag("--print-ignored", words->print_ignored, "list what .dockerignore keeps of CONTEXT, and build nothing")
      .flag("--load", words->load, "load the image into the docker or podman of this machine")
      .handler([words, &build](const CancelToken& cancel) {
        if (words->file && words->file->empty()) words->file.reset();  // as docker has it
        return run_build(*words, build.given_flags(), cancel);
      });
}

}  // namespace kiln::cli
