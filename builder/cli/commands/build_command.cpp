#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "base/atomic_file.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/build_context.hpp"
#include "builder/cli/build_outputs.hpp"
#include "builder/cli/build_session.hpp"
#include "builder/cli/check_dockerfile.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/failure_shell.hpp"
#include "builder/cli/metadata.hpp"
#include "builder/cli/print_input.hpp"
#include "builder/cli/words/buildx_flags.hpp"
#include "builder/cli/words/dockerfile_input.hpp"
#include "builder/cli/words/words.hpp"
#include "builder/solve/fetched_source.hpp"
#include "builder/solve/git_source.hpp"

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
  std::string ca_bundle;
  std::string security;
  bool no_cache = false;
  std::vector<std::string> no_cache_filter;
  bool pull = false;
  bool offline = false;
  bool push = false;
  std::vector<std::string> outputs;
  std::optional<std::string> iidfile;
  std::optional<std::string> metadata_file;
  std::optional<std::string> progress;
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

BuildTarget make_target(const BuildWords& words, const BuildContext& context, const NamedContexts& named) {
  BuildTarget target;
  target.context = context.folder;
  target.dockerfile_text = context.dockerfile.text;
  target.dockerfile_name = context.dockerfile.name;
  target.ignore_text = context.dockerfile.ignore_text;
  target.ignore_name = context.dockerfile.ignore_name;
  target.stage = words.target;
  target.args = parse_build_args(words.build_args);
  for (const auto& [name, found] : named) target.contexts[name] = found.value;
  target.labels = parse_labels(words.labels);
  target.no_cache = words.no_cache;
  for (const std::string& filter : words.no_cache_filter) {
    for (const std::string_view stage : split(filter, ',')) target.no_cache_stages.emplace_back(stage);
  }
  target.network = words.network;
  target.secrets = secrets_of(words);
  for (const std::string& ssh : words.ssh) target.ssh.push_back(parse_ssh(ssh));
  for (const std::string& tag : words.tags) target.names.push_back(oci::Reference::parse(tag).str());
  return target;
}

std::vector<Output> make_outputs(const BuildWords& words) {
  std::vector<Output> outputs;
  for (const std::string& text : words.outputs) outputs.push_back(parse_output(text));
  if (outputs.empty()) outputs.push_back(Output{});
  if (words.push) {
    const bool has_image = std::any_of(outputs.begin(), outputs.end(),
                                       [](const Output& output) { return output.type == OutputType::image; });
    if (!has_image) outputs.push_back(Output{});
    for (Output& output : outputs) {
      if (output.type == OutputType::image) output.push = true;
    }
  }
  for (const std::string& text : words.annotations) {
    const auto annotations = parse_annotation(text);
    for (Output& output : outputs)
      output.annotations.insert(output.annotations.end(), annotations.begin(), annotations.end());
  }
  return outputs;
}

// The names of -t and of the outputs, each once.
std::vector<std::string> all_names(const std::vector<Output>& outputs, std::vector<std::string> names) {
  for (const Output& output : outputs) {
    for (const std::string& name : output.names) {
      const oci::Reference reference = oci::Reference::parse(name);
      const std::string full = output.push_by_digest ? reference.name() : reference.str();
      if (std::find(names.begin(), names.end(), full) == names.end()) names.push_back(full);
    }
  }
  return names;
}

// SOURCE_DATE_EPOCH as a build arg, in the environment, or as an ARG of the Dockerfile above its first FROM.
std::optional<UnixSeconds> epoch_of(const PlannedTarget& target) {
  std::map<std::string, std::string> args = target.target.args;
  const auto value = target.scope->find("SOURCE_DATE_EPOCH");
  if (value && !environment_variable("SOURCE_DATE_EPOCH")) args.emplace("SOURCE_DATE_EPOCH", *value);
  return source_date_epoch(args);
}

// One target for each platform.
std::vector<BuildTarget> for_platforms(const BuildTarget& target, const std::vector<std::string>& platforms) {
  std::vector<BuildTarget> targets;
  std::set<std::string> seen;
  for (const std::string& words : platforms) {
    for (const std::string_view word : split(words, ',')) {
      BuildTarget copy = target;
      copy.platform = oci::Platform::parse(trim(word));
      copy.platform_is_asked_for = true;
      if (seen.insert(copy.platform.str()).second) targets.push_back(std::move(copy));
    }
  }
  if (targets.empty()) targets.push_back(target);
  return targets;
}

bool is_run_as_image(const Output& output) {
  return output.type != OutputType::local && output.type != OutputType::tar && output.type != OutputType::cache_only;
}

SessionSettings make_settings(const BuildWords& words, const Plan& plan, const std::vector<Output>& outputs) {
  SessionSettings settings;
  settings.progress = words.progress;
  settings.quiet = words.quiet;
  settings.times.epoch = epoch_of(*plan.targets[0]);
  settings.bases.pull = words.pull;
  settings.bases.use_cache = !words.no_cache;
  settings.runs.allow_insecure = words.buildx.allows_insecure();
  settings.runs.keep_failed = !words.on_error.empty();
  settings.runs.trust = find_build_trust(words.ca_bundle);
  settings.security = parse_security(words.security);
  settings.runs.host_proxies = host_proxies(environment_variable);
  for (const std::string& host : words.add_hosts) settings.runs.extra_hosts.push_back(parse_host(host));
  for (const std::string& limit : words.ulimits) settings.runs.limits.push_back(parse_ulimit(limit));
  if (!words.shm_size.empty()) settings.runs.shm_bytes = parse_size(words.shm_size, "--shm-size");
  for (const std::string& text : words.cache_from)
    settings.caches.from.push_back(parse_cache_reference(text, CacheDirection::from));
  for (const std::string& text : words.cache_to)
    settings.caches.to.push_back(parse_cache_reference(text, CacheDirection::to));
  add_cache_environment(settings.caches);
  settings.offline = words.offline;
  apply_offline(settings);
  settings.exports_images = std::any_of(outputs.begin(), outputs.end(), is_run_as_image);
  const bool rewrite =
      std::any_of(outputs.begin(), outputs.end(), [](const Output& output) { return output.rewrite_timestamp; });
  if (rewrite) settings.runs.rewrite_times = settings.times.epoch.value_or(kReproducibleEpoch);
  return settings;
}

AssemblyOptions assembly_options(const BuildTarget& target, const Output& output, const TimePolicy& times) {
  AssemblyOptions options;
  options.compression = output.compression.value_or(target.compression);
  options.force_compression = output.force_compression;
  options.oci_media_types = output.oci_media_types;
  options.created = times.epoch;
  options.is_run_as_image = is_run_as_image(output);
  if (target.platform_is_asked_for) options.platform = target.platform;
  options.labels = target.labels;
  options.annotations = annotations_at(output.annotations, AnnotationPlace::manifest, target.platform);
  return options;
}

// --check, --print-ast and --print-ignored look at the input only; nullopt where none of them was given.
std::optional<int> look_at_input(const BuildWords& words, const CancelToken& cancel) {
  if (words.print_ast) {
    // The word without dashes is the Dockerfile itself, or a context as in a build.
    const bool is_file = !words.file && !fs::is_directory(words.context);
    print_ast(is_file ? read_dockerfile_input(words.context, ".") : read_dockerfile_input(words.file, words.context));
    return 0;
  }
  if (words.print_ignored) {
    const auto ignore = find_ignore_file(words.file, words.context);
    print_ignored(words.context,
                  ignore ? dockerfile::read_ignore_rules(ignore->text, ignore->name) : dockerfile::IgnoreMatcher());
    return 0;
  }
  if (!words.check && !words.buildx.wants_check()) return std::nullopt;
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

BuildSession::Stages solve(BuildSession& session, const Plan& plan, const std::vector<std::size_t>& wanted,
                           bool opens_shell) {
  try {
    return session.solve(plan, wanted);
  } catch (const Error& error) {
    if (opens_shell && error.category() != Category::cancelled) open_failure_shell(session, error);
    throw;
  }
}

int run_build(const BuildWords& words, const CancelToken& cancel) {
  check_buildx_words(words.buildx);
  if (const auto exit_code = look_at_input(words, cancel)) return *exit_code;
  const bool opens_shell = wants_failure_shell(words.on_error);
  if (words.offline && !fs::exists(words.context) &&
      (is_http_url(words.context) || parse_git_reference(words.context))) {
    throw Error(Category::network, "--offline: the build context is a URL, and nothing is fetched");
  }
  const BuildContext context = open_build_context(
      words.context, words.file, context_access(parse_build_args(words.build_args), secrets_of(words)), cancel);
  const NamedContexts named = open_named_contexts(words, cancel);
  BuildTarget target = make_target(words, context, named);
  const std::vector<Output> outputs = make_outputs(words);
  for (const Output& output : outputs) {
    if (output.compression) target.compression = *output.compression;
  }
  const Plan plan = make_plan(for_platforms(target, words.platforms), {});
  check_outputs(outputs, target.names, plan.targets.size());
  const SessionSettings settings = make_settings(words, plan, outputs);
  std::vector<std::size_t> wanted(plan.targets.size());
  std::iota(wanted.begin(), wanted.end(), std::size_t{0});

  BuildSession session(settings, cancel);
  std::vector<BuiltImage> images;
  std::map<std::string, EarlyTarget> early;
  if (const auto first = early_target(target, outputs, target.names)) early.emplace(target.name, *first);
  session.push_early(std::move(early));
  session.with_lost_steps_redone([&] {
    const auto stages = solve(session, plan, wanted, opens_shell);
    for (const Output& output : outputs) {
      images = session.assemble(plan, wanted, stages, [&](const BuildTarget& built) {
        return assembly_options(built, output, settings.times);
      });
      write_output(session, images, output, target.names, settings.times.epoch);
    }
    if (words.load) load_into_engine(session, images, target.names);
  });
  const bool pushed = std::any_of(outputs.begin(), outputs.end(), [](const Output& output) { return output.push; });
  session.write_caches(plan, wanted, images,
                       std::vector(images.size(), pushed ? target.names : std::vector<std::string>()));
  session.finish_report({}, images, {}, words.report);
  session.end_progress();
  const oci::Descriptor root = root_of(session, images, outputs.back());
  const oci::Digest id = images.size() == 1 ? images[0].image.config.digest : root.digest;
  if (words.iidfile) write_file_atomically(*words.iidfile, id.str());
  if (words.metadata_file) {
    const auto names = all_names(outputs, target.names);
    const auto metadata = images.size() == 1 ? image_metadata(images[0].image, names) : index_metadata(root, names);
    write_file_atomically(*words.metadata_file, metadata.dump(2) + "\n");
  }
  if (words.quiet) fmt::print("{}\n", id.str());
  return 0;
}

}  // namespace

void add_build_command(Arguments& root) {
  const auto words = std::make_shared<BuildWords>();
  Arguments& build = root.command("build", "Build an image from a Dockerfile.");
  add_buildx_flags(build, words->buildx);
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
      .option("--network", words->network, "network of RUN: host (default) or none")
      .option("--ca-bundle", words->ca_bundle, "certificate authorities that RUN trusts: FILE, host or none")
      .option("--security", words->security, "of RUN: sandbox (default), or hardened: no program gains privileges")
      .flag("--no-cache", words->no_cache, "execute every step")
      .option("--no-cache-filter", words->no_cache_filter, "execute every step of these stages")
      .flag("--offline", words->offline,
            "fetch nothing: build from the store, and remember what --push would have sent")
      .flag("--pull", words->pull, "ask registries for newer base images")
      .flag("--push", words->push, "push the image to its registries")
      .option("-o,--output", words->outputs, "type=image|registry|oci|docker|local|tar|cacheonly,dest=...,...")
      .option("--iidfile", words->iidfile, "write the image ID to this file")
      .option("--metadata-file", words->metadata_file, "write what was built to this file, as JSON")
      .option("--progress", words->progress, "auto, tty, plain, quiet or rawjson")
      .option("--report", words->report, "write the report of the build to this file, as JSON")
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
      .handler([words](const CancelToken& cancel) { return run_build(*words, cancel); });
}

}  // namespace kiln::cli
